//! Live links between components: what crosses, whose grants are used, and what a caller sees when
//! the other end fails. `caller` is an HTTP component that calls `callee`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue};
use ward_runtime::{CallContext, HandleError, LinkKind, RequestId, X_REQUEST_ID};
use ward_wire::Value;

use super::host::{Host, Plan, plan, url};
use super::log;

/// The two, with settings of each.
fn app(caller: &str, callee: &str) -> Plan {
    plan(
        &r#"
[variables]
secret = { default = "the callee's own" }
common = { default = "common" }

[[trigger.http]]
id = "main"
route = "/..."
component = "caller"

[component.caller]
source = "{guest-caller}"
variables = { common = "caller: {{ common }}", secret = "{{ secret }}" }
dependencies = { "test:links" = { path = "{guest-callee}", inherit_configuration = true } }
tool.ward = { inherited_only.variables = ["secret"], CALLER }

[component.callee]
source = "{guest-callee}"
variables = { secret = "{{ secret }}", common = "callee: {{ common }}" }
tool.ward = { CALLEE }
"#
        .replace("CALLER", caller)
        .replace("CALLEE", callee),
    )
}

/// The two, as most tests have them.
pub(crate) fn host() -> Host {
    let callee = "deadline = '1500ms', memory_limit = '32MiB', idle_instance_timeout = '60s'";
    app("deadline = '30s'", callee).load()
}

async fn check(host: &Host, path: &str, expected: &str) {
    assert_eq!(host.text("main", path).await, expected, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_shown_with_their_target() {
    let host = host();
    let caller = host.release.loaded().into_iter().find(|c| c.id == "caller").unwrap();
    let links: Vec<(&str, &str)> =
        caller.links.iter().map(|link| (&*link.import, &*link.target)).collect();
    assert_eq!(
        links,
        [("test:links/shapes@1.0.0", "callee"), ("test:links/work@1.0.0", "callee"),]
    );
    assert!(caller.links.iter().all(|link| link.kind == LinkKind::Live));
    // Nothing but links calls it, and it is loaded all the same.
    assert!(host.release.loaded().iter().any(|component| component.id == "callee"));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_shape_cross_and_come_back() {
    let host = host();
    check(&host, "/shapes", "true true").await;
    check(&host, "/join", "a---b").await;
    check(&host, "/nothing", "came back").await;
    check(
        &host,
        "/enrol",
        "Ok(Receipt { id: \"123e4567-e89b-12d3-a456-426614174000\", status: \"ACTIVE\" })",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callee_works_with_its_own_grants() {
    let host = host();
    check(&host, "/variable?common", "Ok(\"callee: common\")").await;
    check(&host, "/own-variable?common", "Ok(\"caller: common\")").await;
    check(&host, "/variable?secret", "Ok(\"the callee's own\")").await;
}

/// The manifest grants `secret` to the caller, for the composed dependency that real Spin makes of
/// this link. Here the caller has no use for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_inherited_only_is_withheld_from_the_caller() {
    let host = host();
    let text = host.text("main", "/own-variable?secret").await;
    assert!(text.starts_with("Err(Error::Undefined("), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_callees_own_is_passed_on() {
    let host = host();
    check(&host, "/perform/refusal?refuse", "Err(Refusal::NotFound(\"refused\"))").await;
    check(
        &host,
        "/perform/code?refuse",
        "Err(Code { code: 0, name: \"not-found\", message: \"\" })",
    )
    .await;
    check(&host, "/perform/text?refuse", "Err(\"refused\")").await;
    check(&host, "/perform/sync?refuse", "Err(Refusal::NotFound(\"refused\"))").await;
    check(&host, "/perform/odd?refuse", "Err(Odd::Unavailable(7))").await;
}

const TEXT: &str = "the service cannot answer at the moment";

/// What the caller reads where its types can say that the callee failed.
async fn unavailable(host: &Host, task: &str) {
    let refusal = format!("Err(Refusal::Unavailable({TEXT:?}))");
    check(host, &format!("/perform/refusal?{task}"), &refusal).await;
    check(
        host,
        &format!("/perform/code?{task}"),
        "Err(Code { code: 1, name: \"internal\", message: \"\" })",
    )
    .await;
    check(host, &format!("/perform/text?{task}"), &format!("Err({TEXT:?})")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_of_the_callee_is_an_error_that_the_caller_can_handle() {
    let host = host();
    unavailable(&host, "trap").await;
    unavailable(&host, "allocate").await;
    let refusal = format!("Err(Refusal::Unavailable({TEXT:?}))");
    check(&host, "/perform/sync?trap", &refusal).await;
    check(&host, "/perform/refusal?answer", "Ok(1)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_caller_cannot_be_told_its_request_fails_alone() {
    let host = host();
    for path in ["/perform/plain?trap", "/perform/odd?trap"] {
        let error = host.get("main", path).await.unwrap_err();
        assert!(matches!(error, HandleError::Trapped(_)), "{path}: {error:?}");
        check(&host, "/perform/plain?answer", "1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_work_of_the_callee_ends_at_its_deadline() {
    let host = host();
    let start = Instant::now();
    let refusal = format!("Err(Refusal::Unavailable({TEXT:?}))");
    let paths = ["/perform/refusal?spin", "/perform/refusal?sleep=60000", "/perform/sync?spin"];
    let ends = paths.map(|path| check(&host, path, &refusal));
    join_all(ends).await;
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    check(&host, "/perform/refusal?answer", "Ok(1)").await;
}

/// The callee may take a minute, the caller's request two seconds.
#[tokio::test(flavor = "multi_thread")]
async fn the_callers_deadline_holds_for_the_callee() {
    let host = app("deadline = '2s'", "deadline = '60s'").load();
    let start = Instant::now();
    let loops = join_all((0..8).map(|_| host.get("main", "/perform/refusal?spin"))).await;
    // Both ends notice at the same moment, and either may be the first to say so.
    for end in loops {
        match end {
            Err(error) => assert!(matches!(error, HandleError::Deadline), "{error:?}"),
            Ok(answer) => assert!(answer.body.contains(TEXT), "{answer:?}"),
        }
    }
    assert!(start.elapsed() < Duration::from_secs(30));
    // Loops that nobody had ended would still be taking all the time there is.
    check(&host, "/perform/refusal?answer", "Ok(1)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_the_request_and_the_cause() {
    const ID: &str = "0198a3c0-7e1b-7c3a-9d52-0123456789ab";
    let host = host();
    let log = log::capture();
    let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static(ID))]);
    let request_id = Some(RequestId::of(&headers));
    let context = CallContext { request_id, ..CallContext::default() };
    let request = http::Request::get(url("/perform/refusal?trap"));
    host.begin_for(context, "main", request, Bytes::new()).await.unwrap();
    let lines = log.lines_with(ID);
    let [ended, failed] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(ended.contains("an instance ended") && ended.contains("component=\"callee\""));
    assert!(failed.contains("a linked call failed") && failed.contains("caller=\"caller\""));
    assert!(failed.contains("trapped"), "{failed}");
}

/// Three instances, each called from inside the one before it.
fn chain(settings: &str) -> Host {
    let text = r#"
[[trigger.http]]
id = "main"
route = "/..."
component = "caller"

[component.caller]
source = "{guest-caller}"
tool.ward.deadline = "30s"
[component.caller.dependencies]
"test:links/work" = { path = "{guest-relay}" }
"test:links/shapes" = { path = "{guest-callee}" }

[component.relay]
source = "{guest-relay}"
dependencies = { "test:links/work" = { path = "{guest-callee}" } }
tool.ward = { deadline = "20s", SETTINGS }

[component.callee]
source = "{guest-callee}"
tool.ward = { deadline = "1500ms", SETTINGS }
"#;
    plan(&text.replace("SETTINGS", settings)).load()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_behind_each_other_answer_fail_and_wait_like_one() {
    let host = chain("idle_instance_timeout = '60s'");
    let refusal = format!("Err(Refusal::Unavailable({TEXT:?}))");
    for _ in 0..2 {
        check(&host, "/perform/refusal?answer", "Ok(1)").await;
        check(&host, "/perform/sync?answer", "Ok(1)").await;
        check(&host, "/perform/refusal?refuse", "Err(Refusal::NotFound(\"refused\"))").await;
        check(&host, "/perform/refusal?sleep=50", "Ok(1)").await;
        check(&host, "/perform/refusal?trap", &refusal).await;
        check(&host, "/perform/sync?trap", &refusal).await;
        check(&host, "/perform/refusal?spin", &refusal).await;
        check(&host, "/perform/sync?spin", &refusal).await;
        check(&host, "/both", "Ok(1) Ok(1)").await;
        let error = host.get("main", "/perform/plain?trap").await.unwrap_err();
        assert!(matches!(error, HandleError::Trapped(_)), "{error:?}");
    }
}

const WORK: &str = "test:links/work@1.0.0";
/// Cases of `work.task`.
const TRAP: u32 = 2;
const SPIN: u32 = 3;
const SLEEP: u32 = 5;
/// A case of `work.refusal`.
const UNAVAILABLE: u32 = 1;

/// As triggers other than HTTP do it: instances are made while no other is polled.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_outside_has_new_instances_behind_it_that_answer_fail_and_wait() {
    let host = chain("max_instance_reuse_count = 1");
    let find = |name: &str| host.release.function("relay", WORK, name).unwrap();
    let context = CallContext::default();
    let (repeat, perform) = (find("repeat"), find("perform"));
    let many = join_all((0..4).map(|_| repeat.call(vec![Value::U32(50)], &context))).await;
    assert!(many.iter().all(|answer| *answer == Ok(Some(Value::U32(50)))), "{many:?}");
    let refused = Value::Variant(UNAVAILABLE, Some(Box::new(Value::String(TEXT.to_owned()))));
    let refused = Ok(Some(Value::Result(Err(Some(Box::new(refused))))));
    for task in [TRAP, SPIN] {
        let answer = perform.call(vec![Value::Variant(task, None)], &context).await;
        assert_eq!(answer, refused);
    }
    let sleep = Value::Variant(SLEEP, Some(Box::new(Value::U32(50))));
    let one = Ok(Some(Value::Result(Ok(Some(Box::new(Value::U32(1)))))));
    assert_eq!(perform.call(vec![sleep], &context).await, one);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_may_make_two_calls_at_once() {
    let host = host();
    check(&host, "/both", "Ok(1) Ok(1)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_one_after_the_other_share_an_instance_up_to_its_share() {
    let host =
        app("deadline = '30s'", "max_instance_reuse_count = 3, idle_instance_timeout = '60s'")
            .load();
    let mut counts = Vec::new();
    for _ in 0..9 {
        counts.push(host.text("main", "/perform/plain?count").await);
    }
    assert_eq!(counts, ["1", "2", "3", "1", "2", "3", "1", "2", "3"]);
}

/// Each of the instances has had one of two calls then, and ends with the next: so the next ones
/// find them one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_have_an_instance_each() {
    let twice = "max_instance_reuse_count = 2, idle_instance_timeout = '60s'";
    let host = app("deadline = '30s'", twice).load();
    let answers = join_all((0..20).map(|_| host.text("main", "/perform/plain?sleep=2000"))).await;
    assert!(answers.iter().all(|answer| answer == "1"), "{answers:?}");
    let mut counts = Vec::new();
    for _ in 0..21 {
        counts.push(host.text("main", "/perform/plain?count").await);
    }
    let last = counts.pop();
    assert!(counts.iter().all(|count| count == "2"), "{counts:?}");
    assert_eq!(last.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_after_the_answer_touches_nobody() {
    let host = host();
    for _ in 0..3 {
        check(&host, "/perform/plain?trap-later", "1").await;
        check(&host, "/perform/plain?answer", "1").await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The one that answered last, its second call.
    check(&host, "/perform/plain?count", "2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_instance_is_let_go() {
    let host = app("deadline = '30s'", "idle_instance_timeout = '100ms'").load();
    check(&host, "/perform/plain?count", "1").await;
    check(&host, "/perform/plain?count", "2").await;
    tokio::time::sleep(Duration::from_millis(1000)).await;
    check(&host, "/perform/plain?count", "1").await;
}
