//! How much a component works on at once: as its settings say, and no more of it for one peer than
//! its share. What waits is let in when something ends.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use ward_runtime::CallContext;
use ward_wire::Value;

use super::host::{Host, Open, plan, until, url};

fn host(settings: &str) -> Host {
    plan(
        &r#"
[application.tool.ward]
peer_share_percent = 50

[[trigger.http]]
id = "main"
route = "/..."
component = "guest"

[[trigger.http]]
id = "callee"
route = "/callee/..."
component = "callee"

[component.guest]
source = "{guest-misbehave}"
tool.ward = { SETTINGS }

[component.callee]
source = "{guest-callee}"
tool.ward = { SETTINGS }
"#
        .replace("SETTINGS", settings),
    )
    .load()
}

fn context(by: u8) -> CallContext {
    CallContext { peer: Some(IpAddr::from([127, 0, 0, by])), ..CallContext::default() }
}

/// A request that stays until it is ended.
fn stay(host: &Host, by: u8) -> Open {
    host.open_for(context(by), "main", "/stay")
}

/// Whether a request of one has to wait; it goes when it has waited for a while.
async fn has_to_wait(host: &Host, by: u8) -> bool {
    let request = http::Request::get(url("/"));
    let answer = host.begin_for(context(by), "main", request, Bytes::new());
    match tokio::time::timeout(Duration::from_millis(300), answer).await {
        Ok(answer) => {
            assert_eq!(answer.unwrap().status(), 200);
            false
        }
        Err(_) => true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_peer_has_beyond_its_share_waits_and_another_is_let_in() {
    let host = host("max_concurrent_requests = 4");
    let mut greedy = vec![stay(&host, 2), stay(&host, 2)];
    let waits = || has_to_wait(&host, 2);
    until(waits, |waits| *waits).await;
    until(|| has_to_wait(&host, 3), |waits| !*waits).await;
    assert!(has_to_wait(&host, 2).await, "who has gone took nothing, and gave nothing back");
    greedy.pop().unwrap().end().await.unwrap();
    until(waits, |waits| !*waits).await;
    greedy.pop().unwrap().end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_requests_are_as_many_as_come() {
    let host = host("");
    let open: Vec<Open> = (0..200).map(|_| stay(&host, 2)).collect();
    for open in open {
        open.end().await.unwrap();
    }
}

/// Of ten calls that sleep (the fifth task) for 50 ms, one at a time, the last ends after 500.
#[tokio::test(flavor = "multi_thread")]
async fn calls_count_as_requests_do() {
    let host = host("max_concurrent_requests = 1");
    let function =
        host.release.function("callee", "test:links/work@1.0.0", "perform-plain").unwrap();
    let sleep = || vec![Value::Variant(5, Some(Box::new(Value::U32(50))))];
    let begun = std::time::Instant::now();
    let context = CallContext::default();
    let calls = (0..10).map(|_| function.call(sleep(), &context));
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(500));
}
