//! Functions of components as triggers call them: looked up by name, with values by position.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use ward_runtime::{CallContext, CallError, Function};
use ward_wire::Value;

use super::host::{Host, plan};

const SHAPES: &str = "test:links/shapes@1.0.0";
const WORK: &str = "test:links/work@1.0.0";

fn host(settings: &str) -> Host {
    plan(
        &r#"
[[trigger.http]]
id = "main"
route = "/..."
component = "callee"
dependencies.middleware = [{ component = "tag" }]

[component.callee]
source = "{guest-callee}"
tool.ward = { SETTINGS }

[component.tag]
source = "{guest-tag}"
"#
        .replace("SETTINGS", settings),
    )
    .load()
}

fn function(host: &Host, interface: &str, name: &str) -> Function {
    host.release.function("callee", interface, name).expect(name)
}

/// A case of `work.task`.
fn task(number: u32) -> Vec<Value> {
    vec![Value::Variant(number, None)]
}

const ANSWER: u32 = 0;
const COUNT: u32 = 1;
const TRAP: u32 = 2;
const SPIN: u32 = 3;
const REFUSE: u32 = 6;

async fn perform(host: &Host, number: u32) -> Result<Option<Value>, CallError> {
    function(host, WORK, "perform").call(task(number), &CallContext::default()).await
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn some(value: Value) -> Option<Box<Value>> {
    Some(Box::new(value))
}

fn leaf(name: &str) -> Value {
    Value::Record(vec![text(name), Value::U64(u64::MAX)])
}

/// A value of `shapes.everything`.
fn everything() -> Value {
    let pair = |a, b| Value::Tuple(vec![Value::S32(a), Value::S32(b)]);
    Value::Record(vec![
        Value::Bool(true),
        Value::U8(1),
        Value::U16(2),
        Value::U32(3),
        Value::U64(4),
        Value::S8(-1),
        Value::S16(-2),
        Value::S32(-3),
        Value::S64(-4),
        Value::F32(0.5),
        Value::F64(-0.25),
        Value::Char('é'),
        text("text"),
        Value::Bytes(vec![0, 1, 255]),
        Value::List(vec![leaf("a"), leaf("b")]),
        Value::Tuple(vec![text("left"), Value::Option(some(Value::U8(0)))]),
        Value::Enum(2),
        Value::Flags(vec![true, false, true]),
        Value::List(vec![
            Value::Variant(0, None),
            Value::Variant(1, some(Value::F64(1.5))),
            Value::Variant(2, some(Value::List(vec![pair(1, -1), pair(i32::MAX, i32::MIN)]))),
            Value::Variant(3, some(leaf("c"))),
        ]),
        Value::Option(None),
        Value::Option(some(Value::Option(None))),
        Value::Result(Err(some(Value::U8(9)))),
        Value::List(vec![Value::Result(Ok(None)), Value::Result(Err(None))]),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_shape_go_in_and_come_out() {
    let host = host("");
    for name in ["echo", "echo-sync"] {
        let echo = function(&host, SHAPES, name);
        let back = echo.call(vec![everything()], &CallContext::default()).await;
        assert_eq!(back, Ok(Some(everything())), "{name}");
    }
    let join = function(&host, SHAPES, "join");
    let arguments = vec![leaf("a"), text("-"), leaf("b"), Value::U8(2)];
    let joined = join.call(arguments, &CallContext::default()).await;
    assert_eq!(joined, Ok(Some(text("a--b"))));
    let nothing = function(&host, SHAPES, "nothing");
    assert_eq!(nothing.call(Vec::new(), &CallContext::default()).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_found_by_their_names() {
    let host = host("");
    let find = |interface, name| host.release.function("callee", interface, name).is_some();
    assert!(find(WORK, "perform"));
    assert!(find("test:links/work", "perform"));
    assert!(!find("test:links/work@1.0.1", "perform"));
    assert!(!find("test:links/work", "performs"));
    assert!(!find("wasi:http/handler@0.3.0", "handle"));
    assert!(host.release.function("nobody", WORK, "perform").is_none());
    let found = function(&host, "test:links/work", "perform");
    assert_eq!(found.interface(), WORK);
    assert_eq!(found.revision(), &host.release.loaded()[0].revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_of_other_types_are_refused_and_not_quoted() {
    let host = host("");
    let join = function(&host, SHAPES, "join");
    let wrong = [
        vec![],
        vec![leaf("secret"), text("secret"), leaf("secret"), text("secret")],
        vec![text("secret"), text("secret"), leaf("secret"), Value::U8(1)],
        vec![Value::Record(vec![text("secret")]), text("-"), leaf("b"), Value::U8(1)],
    ];
    for arguments in wrong {
        let error = join.call(arguments, &CallContext::default()).await.unwrap_err();
        assert!(matches!(error, CallError::Arguments(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    assert!(matches!(perform(&host, 99).await, Err(CallError::Arguments(_))));
}

/// The same compiled component answers HTTP behind middleware.
#[tokio::test(flavor = "multi_thread")]
async fn calls_and_requests_go_to_one_component_in_instances_of_their_own() {
    let host = host("idle_instance_timeout = '60s'");
    assert_eq!(perform(&host, ANSWER).await, Ok(Some(Value::Result(Ok(some(Value::U32(1)))))));
    let answer = host.get("main", "/").await.unwrap();
    assert_eq!((answer.body.as_str(), answer.header("x-tag")), ("called 0 times\n", vec!["0"]));
    assert_eq!(host.release.loaded().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_apart_and_survived() {
    let host = host("deadline = '1s'");
    let start = Instant::now();
    assert!(matches!(perform(&host, TRAP).await, Err(CallError::Trapped(_))));
    assert_eq!(perform(&host, SPIN).await, Err(CallError::Deadline));
    let refused = Value::Result(Err(some(Value::Variant(0, some(text("refused"))))));
    assert_eq!(perform(&host, REFUSE).await, Ok(Some(refused)));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearer_of_both_deadlines_ends_a_call() {
    let host = host("deadline = '60s'");
    let soon = tokio::time::Instant::now() + Duration::from_millis(200);
    let context = CallContext { until: Some(soon), ..CallContext::default() };
    let start = Instant::now();
    let answer = function(&host, WORK, "perform").call(task(SPIN), &context).await;
    assert_eq!(answer, Err(CallError::Deadline));
    assert!(start.elapsed() < Duration::from_secs(20));
    // What is late before it begins does not begin.
    let answer = function(&host, WORK, "perform").call(task(COUNT), &context).await;
    assert_eq!(answer, Err(CallError::Deadline));
}

/// A caller that goes away while its call sleeps leaves it to end by itself: the instance is there
/// for the next call, and has counted both.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_when_its_caller_is_gone() {
    let host = host("idle_instance_timeout = '60s'");
    for before in [0, 2] {
        let sleep = vec![Value::Variant(5, some(Value::U32(300)))];
        let plain = function(&host, WORK, "perform-plain");
        let context = CallContext::default();
        let call = plain.call(sleep, &context);
        assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
        tokio::time::sleep(Duration::from_millis(600)).await;
        let count = plain.call(task(COUNT), &context).await;
        assert_eq!(count, Ok(Some(Value::U32(before + 2))));
    }
}

/// Each is made for its call, and ends with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_for_a_single_call_takes_no_other() {
    let host = host("max_instance_reuse_count = 1, idle_instance_timeout = '60s'");
    let plain = function(&host, WORK, "perform-plain");
    for _ in 0..20 {
        let count = plain.call(task(COUNT), &CallContext::default()).await;
        assert_eq!(count, Ok(Some(Value::U32(1))));
    }
    let calls = (0..20).map(|_| async { plain.call(task(COUNT), &CallContext::default()).await });
    let counts = join_all(calls).await;
    assert!(counts.iter().all(|count| *count == Ok(Some(Value::U32(1)))), "{counts:?}");
}

/// More calls at once than instances may be: all are answered, some after others.
#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_limit_wait_for_their_turn() {
    let host = host("");
    let sleep = function(&host, WORK, "perform-plain");
    let sleep = Arc::new(sleep);
    let calls = (0..200).map(|_| {
        let sleep = sleep.clone();
        async move {
            let task = Value::Variant(5, some(Value::U32(50)));
            sleep.call(vec![task], &CallContext::default()).await
        }
    });
    let answers = join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == Ok(Some(Value::U32(1)))), "{answers:?}");
}
