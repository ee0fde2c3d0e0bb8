//! A native function that does what the question says, in the place of a component's.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

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
    /// For how many each note of refusals stands that was taken.
    pub(crate) noted: Arc<Mutex<Vec<u64>>>,
    /// How many notes fail before one is taken.
    pub(crate) notes_to_fail: Arc<AtomicUsize>,
}

impl Probe {
    /// One that has not been asked, and lets no `wait` answer.
    pub(crate) fn new() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            calls: Arc::default(),
            noted: Arc::default(),
            notes_to_fail: Arc::default(),
        }
    }

    /// Takes a note of so many refusals.
    fn note(&self, times: u64) -> Result<Option<Value>, CallError> {
        let fewer = |left: usize| left.checked_sub(1);
        if self.notes_to_fail.fetch_update(Relaxed, Relaxed, fewer).is_ok() {
            return Err(CallError::Overloaded);
        }
        self.noted.lock().unwrap().push(times);
        Ok(None)
    }
}

impl Invoke for Probe {
    async fn call(
        &self,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> Result<Option<Value>, CallError> {
        self.calls.fetch_add(1, Relaxed);
        if let [_, Value::String(_), Value::String(_), Value::U64(times)] = arguments.as_slice() {
            return self.note(*times);
        }
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
