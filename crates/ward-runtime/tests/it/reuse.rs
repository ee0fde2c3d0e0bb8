//! How long an instance lives: p3 instances take several requests, within their limits, p2
//! instances one.

use std::time::Duration;

use futures::future::join_all;

use super::host::{Host, plan};

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

/// Requests that wait share an instance up to the limit: the next ones find another, fresh one.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_takes_only_so_many_requests_at_once() {
    let host = host(r#"max_instance_concurrent_reuse_count = 2, idle_instance_timeout = "60s""#);
    let waiting = join_all((0..4).map(|_| host.text("p3", "/sleep?ms=700")));
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        count(&host).await
    };
    // Two instances are full of sleepers that never counted; the count is a third one's.
    let (_, first) = futures::join!(waiting, later);
    assert_eq!(first, 1);
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
