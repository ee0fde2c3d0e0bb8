//! A native function that does what the question says, in the place of a component's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Semaphore;
use tokio::time::Instant;
use ward_grpc::Invoke;
use ward_runtime::{CallContext, CallError};
use ward_wire::Value;

/// What a failing component would tell the log, and must not tell the client.
pub(crate) const SECRET: &str = "Jane Roe at 0x1234";

/// The case of the contract's `refusal` that carries a list of fields.
const INVALID_ARGUMENT: u32 = 2;

/// One exported function's stand-in.
#[derive(Clone)]
pub(crate) struct Probe {
    /// Each permit lets one `wait` answer.
    pub(crate) gate: Arc<Semaphore>,
    /// How many calls have come.
    pub(crate) calls: Arc<AtomicUsize>,
}

impl Invoke for Probe {
    async fn call(
        &self,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> Result<Option<Value>, CallError> {
        self.calls.fetch_add(1, Relaxed);
        let [caller, Value::Record(question)] = arguments.as_slice() else {
            panic!("not a caller and a question: {arguments:?}");
        };
        let [Value::String(what), Value::U32(count), Value::String(padding), _] =
            question.as_slice()
        else {
            panic!("not a question: {question:?}");
        };
        match what.as_str() {
            "echo" => Ok(answer(padding.clone(), *count)),
            "caller" => Ok(answer(texts(caller).join("|"), *count)),
            "left" => {
                let left = context.until.unwrap().saturating_duration_since(Instant::now());
                Ok(answer(
                    context.request_id.unwrap().to_string(),
                    left.as_millis().try_into().unwrap(),
                ))
            }
            "wait" => {
                self.gate.acquire().await.unwrap().forget();
                Ok(answer("waited".to_owned(), *count))
            }
            "never" => std::future::pending().await,
            "long" => Ok(answer("y".repeat(*count as usize), 0)),
            "refuse" => Ok(refusal(*count)),
            "late" => Err(CallError::Deadline),
            "trap" => Err(CallError::Trapped(SECRET.to_owned())),
            "start" => Err(CallError::Instantiate(SECRET.to_owned())),
            "arguments" => Err(CallError::Arguments(SECRET.to_owned())),
            "full" => Err(CallError::Overloaded),
            "mismatch" => Ok(Some(Value::String(SECRET.to_owned()))),
            other => panic!("no such question: {other}"),
        }
    }
}

fn texts(record: &Value) -> Vec<String> {
    let Value::Record(fields) = record else { panic!("not a record: {record:?}") };
    let text = |field: &Value| match field {
        Value::String(text) => text.clone(),
        other => panic!("not a string: {other:?}"),
    };
    fields.iter().map(text).collect()
}

fn answer(text: String, count: u32) -> Option<Value> {
    let record = Value::Record(vec![Value::String(text), Value::U32(count)]);
    Some(Value::Result(Ok(Some(Box::new(record)))))
}

fn refusal(case: u32) -> Option<Value> {
    let payload = match case {
        INVALID_ARGUMENT => Value::List(
            [("amount.currency", "is no currency"), ("id", "is no UUID")]
                .map(|(field, text)| Value::Record([field, text].map(string).into()))
                .into(),
        ),
        case => string(&format!("case {case}")),
    };
    let refusal = Value::Variant(case, Some(Box::new(payload)));
    Some(Value::Result(Err(Some(Box::new(refusal)))))
}

fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}
