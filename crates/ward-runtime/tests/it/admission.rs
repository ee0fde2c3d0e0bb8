//! How much a component works on at once: as its settings say, and no more of it for one peer than
//! its share. What waits is let in when something ends.

use std::net::IpAddr;
use std::time::Duration;

use ward_runtime::{CallContext, HandleError};
use ward_wire::Value;

use super::host::{Host, Open, plan, until};

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

/// A request that stays in the instance until it is ended.
fn stay(host: &Host, by: u8) -> Open {
    let peer = Some(IpAddr::from([127, 0, 0, by]));
    host.open_for(CallContext { peer, ..CallContext::default() }, "main", "/stay")
}

/// Waits until so many are inside.
async fn until_inside(host: &Host, count: u32) {
    let inside = || async { host.text("main", "/staying").await };
    until(inside, |inside| inside.trim() == count.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_peer_has_beyond_its_share_waits_and_another_is_let_in() {
    let host = host("max_concurrent_requests = 4");
    let mut greedy: Vec<Open> = (0..5).map(|_| stay(&host, 2)).collect();
    until_inside(&host, 2).await;
    let modest = stay(&host, 3);
    until_inside(&host, 3).await;
    // By now whoever else was to come in would have.
    for _ in 0..5 {
        until_inside(&host, 3).await;
    }
    // Who leaves takes nothing with it, whether it is one that waits or one that is inside.
    greedy.pop().unwrap().abandon().await;
    let mut answered = 0;
    for open in greedy {
        match open.end().await {
            Ok(_) => answered += 1,
            // On a busy machine it may have waited for as long as one does.
            Err(error) => assert!(matches!(error, HandleError::Overloaded), "{error}"),
        }
    }
    assert!(answered > 0);
    modest.end().await.unwrap();
    until_inside(&host, 0).await;
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
        host.runtime.function("callee", "test:links/work@1.0.0", "perform-plain").unwrap();
    let sleep = || vec![Value::Variant(5, Some(Box::new(Value::U32(50))))];
    let begun = std::time::Instant::now();
    let context = CallContext::default();
    let calls = (0..10).map(|_| function.call(sleep(), &context));
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(500));
}
