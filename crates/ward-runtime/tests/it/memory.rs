//! The memory of all guests has a sum: past it a memory does not grow and an instance is not made;
//! what is given back, and what only idle instances have, is there for the next.

use ward_runtime::{CallContext, CallError, HandleError};
use ward_wire::Value;

use super::host::{Host, plan, until};
use super::log;

const MIB: u64 = 1 << 20;
const WORK: &str = "test:links/work@1.0.0";

/// A guest that takes memory, one request at a time, and others that need a little of it.
fn host(bytes: u64) -> Host {
    plan(&format!(
        r#"
[application.tool.ward]
guest_memory = {bytes}

[[trigger.http]]
id = "big"
route = "/..."
component = "big"

[[trigger.http]]
id = "small"
route = "/small/..."
component = "small"

[[trigger.http]]
id = "callee"
route = "/callee/..."
component = "callee"

[component.big]
source = "{{guest-misbehave}}"
tool.ward = {{ max_instance_concurrent_reuse_count = 1, idle_instance_timeout = "60s" }}

[component.small]
source = "{{guest-misbehave}}"
tool.ward.idle_instance_timeout = "60s"

[component.callee]
source = "{{guest-callee}}"
tool.ward.idle_instance_timeout = "60s"
"#
    ))
    .load()
}

async fn small(host: &Host) -> Result<String, HandleError> {
    host.get("small", "/").await.map(|answer| answer.body)
}

/// A call of a function.
async fn call(host: &Host) -> Result<Option<Value>, CallError> {
    let function = host.release.function("callee", WORK, "perform-plain").unwrap();
    let count = Value::Variant(1, None);
    function.call(vec![count], &CallContext::default()).await
}

fn overloaded<T>(answer: &Result<T, HandleError>) -> bool {
    matches!(answer, Err(HandleError::Overloaded))
}

/// Waits until another instance is refused.
async fn until_full(host: &Host) {
    let answer = until(|| small(host), overloaded).await;
    assert!(overloaded(&answer));
}

/// It takes more than is kept of an instance, and less: one gives back at its end, the other when
/// somebody needs it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_holds_is_refused_to_others_until_it_ends() {
    for bytes in [64 * MIB, 24 * MIB] {
        let host = host(bytes);
        for _ in 0..3 {
            let first = host.open("big", &format!("/hold?bytes={}", 100 * MIB));
            until_full(&host).await;
            assert_eq!(call(&host).await, Err(CallError::Overloaded));
            let second = host.get("big", "/hold?bytes=65536").await;
            assert!(overloaded(&second), "{second:?}");

            let held: u64 = first.end().await.unwrap().trim().parse().unwrap();
            assert!(held > bytes / 2 && held < bytes, "{held} of {bytes}");
            // Not only in the end: the very next is served.
            assert_eq!(small(&host).await.unwrap(), "well\n");
            assert!(call(&host).await.is_ok());
            assert_eq!(host.text("big", "/hold?bytes=65536").await, "65536\n");
        }
    }
}

/// A memory that does not grow is the guest's to deal with: both go on with what they got.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_gets_what_is_left_and_goes_on() {
    const WANTED: u64 = 30 * MIB;
    let host = host(48 * MIB);
    let first = host.open("big", &format!("/hold?bytes={WANTED}"));
    let held = || async {
        let got = host.text("big", &format!("/hold?bytes={WANTED}")).await;
        got.trim().parse::<u64>().unwrap()
    };
    let second = until(held, |second| *second < WANTED).await;
    let first: u64 = first.end().await.unwrap().trim().parse().unwrap();
    assert!(first + second > 40 * MIB, "{first} and {second}");
    until(held, |held| *held == WANTED).await;
}

/// Warm instances of others have all of the memory: of HTTP and of calls.
#[tokio::test(flavor = "multi_thread")]
async fn idle_instances_make_room_and_are_kept_where_there_is_some() {
    let host = host(16 * MIB);
    let count = || async { host.text("small", "/count").await };
    for (before, after) in [("1\n", "2\n"), ("1\n", "2\n")] {
        assert_eq!(count().await, before);
        assert_eq!(call(&host).await, Ok(Some(Value::U32(1))));
        assert_eq!(count().await, after);
        assert_eq!(call(&host).await, Ok(Some(Value::U32(2))));
        let held = host.text("big", &format!("/hold?bytes={}", 14 * MIB)).await;
        assert_eq!(held, format!("{}\n", 14 * MIB));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_fail_to_be_made_hold_nothing() {
    let host = host(3 * MIB);
    let first = host.open("big", &format!("/hold?bytes={}", 100 * MIB));
    until_full(&host).await;
    let more = futures::future::join_all((0..200).map(|_| small(&host))).await;
    assert!(more.iter().all(overloaded), "{more:?}");
    first.end().await.unwrap();
    assert_eq!(small(&host).await.unwrap(), "well\n");
    assert_eq!(host.text("big", "/hold?bytes=65536").await, "65536\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_give_back_what_was_held() {
    let host = host(24 * MIB);
    for _ in 0..5 {
        assert!(matches!(host.get("big", "/alloc").await, Err(HandleError::Trapped(_))));
        assert_eq!(small(&host).await.unwrap(), "well\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_once_which_setting_it_was() {
    // A number that no other test has.
    const BYTES: u64 = 7_654_321;
    let log = log::capture();
    let host = host(BYTES);
    let first = host.open("big", &format!("/hold?bytes={}", 100 * MIB));
    until_full(&host).await;
    for _ in 0..3 {
        assert!(overloaded(&small(&host).await));
    }
    first.end().await.unwrap();
    let lines = log.lines_with(&BYTES.to_string());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("guest_memory"), "{lines:?}");
}
