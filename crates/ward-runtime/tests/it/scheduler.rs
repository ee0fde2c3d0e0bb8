//! Who computes next: what one peer has going on is no reason for another to wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::available_parallelism;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use ward_runtime::{CallContext, Held};

use super::host::{Host, plan, url};

/// Some tens of ticks of the clock.
const COMPUTE: &str = "/compute?rounds=200000000";

fn host() -> Host {
    plan(
        r#"
[[trigger.http]]
id = "main"
route = "/..."
component = "guest"

[component.guest]
source = "{guest-misbehave}"
tool.ward = { max_instance_concurrent_reuse_count = 1, deadline = "120s" }
"#,
    )
    .load()
}

async fn get(host: &Host, by: u8, path: &str) {
    let peer = Some(IpAddr::from([127, 0, 0, by]));
    let context = CallContext { peer, ..CallContext::default() };
    let request = http::Request::get(url(path));
    let answer = host.begin_for(context, "main", request, Bytes::new()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// How many computations of one peer have ended when another, who came after them, has been
/// answered `times` times, one after the other. And how many there were.
async fn ended_before(wanted: &'static str, times: u32) -> (usize, usize) {
    let (host, ended) = (Arc::new(host()), Arc::new(AtomicUsize::new(0)));
    let many = 4 * available_parallelism().unwrap().get();
    let mut running = JoinSet::new();
    for _ in 0..many {
        let (host, ended) = (host.clone(), ended.clone());
        running.spawn(async move {
            get(&host, 2, COMPUTE).await;
            ended.fetch_add(1, SeqCst);
        });
    }
    // By then each has an instance.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..times {
        get(&host, 1, wanted).await;
    }
    let before = ended.load(SeqCst);
    running.join_all().await;
    (before, many)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_computation_of_a_peer_does_not_wait_for_all_those_of_another() {
    let (before, many) = ended_before(COMPUTE, 1).await;
    assert!(before < many / 2, "{before} of {many} came first");
}

/// By itself the loop ends at the deadline, in two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn who_computes_for_a_client_that_has_gone_is_ended() {
    let host = host();
    let held: Held = Arc::new("a place");
    let left = Arc::downgrade(&held);
    let context = CallContext { held: Some(held), ..CallContext::default() };
    let request = http::Request::get(url("/loop"));
    let computing = host.begin_for(context, "main", request, Bytes::new());
    assert!(tokio::time::timeout(Duration::from_millis(300), computing).await.is_err());
    let ended = async {
        while left.upgrade().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it goes on computing");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_needs_little_waits_for_no_computation() {
    let (before, many) = ended_before("/", 20).await;
    assert_eq!(before, 0, "of {many}");
}
