//! How long an instance lives: p3 instances take several requests, within their limits, p2
//! instances one.

use std::time::Duration;

use super::host::{Host, plan, until};

fn host(settings: &str) -> Host {
    plan(
        &r#"
[[trigger.http]]
id = "p3"
route = "/..."
component = "p3"

[[trigger.http]]
id = "p2"
route = "/p2/..."
component = "p2"

[component.p3]
source = "{guest-misbehave}"
tool.ward = { SETTINGS }

[component.p2]
source = "{guest-legacy}"
"#
        .replace("SETTINGS", settings),
    )
    .load()
}

/// The count that one request gets from its instance.
async fn count(host: &Host) -> u32 {
    host.text("p3", "/count").await.trim().parse().unwrap()
}

async fn counts(host: &Host, requests: usize) -> Vec<u32> {
    let mut found = Vec::new();
    for _ in 0..requests {
        found.push(count(host).await);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_replaced_after_its_last_request() {
    let host = host(r#"max_instance_reuse_count = 3, idle_instance_timeout = "60s""#);
    let found = counts(&host, 12).await;
    assert_eq!(found.iter().max(), Some(&3), "{found:?}");
    assert_eq!(found.iter().filter(|&&count| count == 3).count(), 4, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_takes_128_requests_by_default() {
    let host = host(r#"idle_instance_timeout = "60s""#);
    let found = counts(&host, 200).await;
    assert_eq!(found.iter().max(), Some(&128), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_instance_is_let_go() {
    let host = host(r#"idle_instance_timeout = "100ms""#);
    assert_eq!(counts(&host, 2).await, [1, 2]);
    tokio::time::sleep(Duration::from_millis(1000)).await;
    assert_eq!(count(&host).await, 1);
}

/// Requests that wait share an instance, and no more of them than the limit says.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_takes_only_so_many_requests_at_once() {
    let host = host(r#"max_instance_concurrent_reuse_count = 2, idle_instance_timeout = "60s""#);
    let mut open = vec![host.open("p3", "/stay")];
    // Asked of an instance with one that stays, this is its second.
    let staying = || async { host.text("p3", "/staying").await };
    until(staying, |staying| staying == "1\n").await;
    for _ in 0..7 {
        open.push(host.open("p3", "/stay"));
        // Behind it in the queue: whoever answers, an instance has taken that one.
        staying().await;
    }
    let mut most = 0;
    for open in open {
        let staying: u32 = open.end().await.unwrap().trim().parse().unwrap();
        most = most.max(staying);
    }
    assert!(most <= 2, "{most} at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_has_grown_is_not_kept_and_one_that_has_a_little_is() {
    const MIB: u64 = 1 << 20;
    let host = host(r#"idle_instance_timeout = "60s""#);
    assert_eq!(counts(&host, 2).await, [1, 2]);
    for (bytes, next) in [(24 * MIB, 3), (40 * MIB, 1)] {
        let held = host.text("p3", &format!("/hold?bytes={bytes}")).await;
        assert_eq!(held, format!("{bytes}\n"));
        assert_eq!(count(&host).await, next, "after {bytes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_ends_the_instance_and_its_globals() {
    let host = host(r#"idle_instance_timeout = "60s""#);
    assert_eq!(counts(&host, 3).await, [1, 2, 3]);
    assert!(host.get("p3", "/trap").await.is_err());
    assert_eq!(count(&host).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p2_instance_never_sees_a_second_request() {
    let host = host("");
    for _ in 0..5 {
        assert_eq!(host.text("p2", "/").await, "legacy 1\n");
    }
}
