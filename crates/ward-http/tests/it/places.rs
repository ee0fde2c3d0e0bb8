//! Places among the requests at work: who takes one, who waits for one, and when it is given back.

use std::time::Duration;

use ward_http::Limits;

use crate::raw::Raw;
use crate::site::{Site, client, client_from, client_http2, problem};

const SHORT: Duration = Duration::from_millis(200);
const OTHER: [u8; 4] = [127, 0, 0, 2];

fn one_place() -> Limits {
    Limits { requests_max: 1, queue_max: 0, ..Limits::default() }
}

/// A head whose body is still to come.
fn head(field: &str) -> String {
    format!("POST /one/read HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\n")
}

async fn raw(site: &Site, text: impl AsRef<[u8]>) -> Raw {
    let mut raw = Raw::connect(site.gateway).await;
    raw.send(text).await;
    raw
}

/// Waits until the one place is taken.
async fn taken(site: &Site) {
    while site.get("/one/read").await.status() != 503 {}
}

#[tokio::test]
async fn a_body_that_does_not_come_takes_no_place() {
    let site = Site::with(Limits { body_begin_time_max: 5 * SHORT, ..one_place() }).await;
    let mut waiting = Vec::new();
    for fields in [
        "content-length: 10",
        "content-length: 70000",
        "transfer-encoding: chunked",
        "content-length: 10\r\nexpect: 100-continue",
    ] {
        waiting.push(raw(&site, head(fields)).await);
    }
    // With a byte now and then it is the same.
    for raw in &mut waiting {
        raw.send("1").await;
    }
    let slow = reqwest::Body::wrap_stream(futures::stream::pending::<Result<Vec<u8>, String>>());
    let http2 = tokio::spawn(client_http2().post(site.url("/one/read")).body(slow).send());
    tokio::time::sleep(SHORT).await;
    for _ in 0..5 {
        assert_eq!(site.text("/one/read").await, "read 0");
    }
    for raw in waiting {
        let text = raw.rest().await;
        assert!(text.contains("HTTP/1.1 4"), "{text}");
    }
    problem(http2.await.unwrap().unwrap(), 408, "request-timeout").await;
}

#[tokio::test]
async fn a_body_that_is_waited_for_gives_way_to_one_that_comes_after() {
    let limits = Limits { bodies_waiting_max: 2, peer_share_percent: 100, ..Limits::default() };
    let site = Site::with(limits).await;
    let first = raw(&site, head("content-length: 10")).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        tokio::time::sleep(SHORT / 4).await;
        others.push(raw(&site, head("content-length: 10")).await);
    }
    let text = first.rest().await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    others[1].send("0123456789").await;
    assert!(others[1].response().await.ends_with("read 10"));
}

#[tokio::test]
async fn a_body_is_handed_over_whole_whatever_its_length() {
    let site = Site::new().await;
    for length in [1, 64 << 10, (64 << 10) + 1, 1 << 20] {
        for client in [client(), client_http2()] {
            let body = "x".repeat(length);
            let sent = client.post(site.url("/one/read")).body(body).send().await.unwrap();
            assert_eq!(sent.text().await.unwrap(), format!("read {length}"));
        }
    }
}

#[tokio::test]
async fn work_whose_client_has_gone_keeps_its_place_until_it_ends() {
    let site = Site::with(one_place()).await;
    let gone = raw(&site, "GET /one/linger HTTP/1.1\r\nhost: a\r\n\r\n").await;
    taken(&site).await;
    drop(gone);
    tokio::time::sleep(SHORT).await;
    problem(site.get("/one/read").await, 503, "overloaded").await;
    site.gate.add_permits(1);
    while site.get("/one/read").await.status() != 200 {}
}

#[tokio::test]
async fn who_leaves_work_behind_waits_for_its_end_and_others_do_not() {
    let limits = Limits { abandoned_max: 1, queue_max: 0, ..Limits::default() };
    let site = Site::with(limits).await;
    let resets = client_http2();
    let left = tokio::time::timeout(SHORT, resets.get(site.url("/one/linger")).send()).await;
    assert!(left.is_err(), "the stream was reset");
    taken(&site).await;
    let other = client_from(OTHER).get(site.url("/one/read")).send().await.unwrap();
    assert_eq!(other.status(), 200);
    site.gate.add_permits(1);
    while site.get("/one/read").await.status() != 200 {}
}

#[tokio::test]
async fn what_waits_is_served_in_its_turn_and_no_more_wait_than_may() {
    let limits = Limits { queue_max: 1, peer_share_percent: 100, ..one_place() };
    let site = Site::with(limits).await;
    let get = || tokio::spawn(client().get(site.url("/one/wait")).send());
    let waiting = [get(), get()];
    taken(&site).await;
    site.gate.add_permits(2);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "waited");
    }
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let limits = Limits { queue_max: 4, queue_time_max: SHORT, ..one_place() };
    let site = Site::with(limits).await;
    let _taken = raw(&site, "GET /one/wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(SHORT).await;
    let refused = site.get("/one/read").await;
    assert_eq!(refused.headers()["retry-after"], "1");
    problem(refused, 503, "overloaded").await;
}

#[tokio::test]
async fn who_has_left_the_queue_is_not_served() {
    let limits = Limits { queue_max: 4, peer_share_percent: 100, ..one_place() };
    let site = Site::with(limits).await;
    let wait = "GET /one/wait HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut first = raw(&site, wait).await;
    tokio::time::sleep(SHORT).await;
    let left = raw(&site, wait).await;
    tokio::time::sleep(SHORT).await;
    drop(left);
    tokio::time::sleep(SHORT).await;
    site.gate.add_permits(1);
    assert!(first.response().await.ends_with("waited"));
    // It would have the only place, and nobody to let it end.
    assert_eq!(site.text("/one/read").await, "read 0");
}

#[tokio::test]
async fn the_queue_is_in_turn_over_peers() {
    let limits = Limits { queue_max: 100, ..one_place() };
    let site = Site::with(limits).await;
    let wait = "GET /one/wait HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut many = Vec::new();
    for _ in 0..5 {
        many.push(raw(&site, wait).await);
    }
    tokio::time::sleep(SHORT).await;
    let mut other = Raw::connect_from(OTHER, site.gateway).await;
    other.send(wait).await;
    tokio::time::sleep(SHORT).await;
    // The one at work, one of the many at most, and the other's.
    site.gate.add_permits(3);
    assert!(other.response().await.ends_with("waited"));
    drop(many);
}
