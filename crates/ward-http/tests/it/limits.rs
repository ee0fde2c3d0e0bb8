//! Limits on heads, time, requests and connections, each at the limit and past it.

use std::time::Duration;

use ward_http::Limits;

use crate::raw::{Raw, exchange};
use crate::site::{Site, client, client_http2, problem};

const SHORT: Duration = Duration::from_millis(200);

/// A request whose head has exactly `length` bytes before its empty line.
fn head_of(length: usize) -> String {
    let start = "GET /one/read HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: ";
    format!("{start}{}\r\n\r\n", "y".repeat(length - start.len() - 2))
}

#[tokio::test]
async fn a_head_at_the_limit_passes_and_one_byte_more_is_431() {
    let site = Site::new().await;
    let max = Limits::default().head_bytes_max;
    assert_eq!(max, 64 * 1024);
    let text = exchange(site.gateway, head_of(max)).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let text = exchange(site.gateway, head_of(max + 1)).await;
    assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    assert!(text.contains("urn:ward:problem:header-fields-too-large"), "{text}");
    assert!(text.contains("connection: close"), "{text}");
}

#[tokio::test]
async fn an_endless_head_is_431_before_its_end() {
    let site = Site::new().await;
    let mut raw = Raw::connect(site.gateway).await;
    raw.send("GET / HTTP/1.1\r\nx: ").await;
    raw.send("y".repeat(2 * 64 * 1024)).await;
    assert!(raw.rest().await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn http_2_heads_have_the_same_limit() {
    let site = Site::with(Limits { head_bytes_max: 2000, ..Limits::default() }).await;
    let send = async |length: usize| {
        let field = "y".repeat(length);
        client_http2().get(site.url("/one/read")).header("x", field).send().await.unwrap()
    };
    assert_eq!(send(1800).await.status(), 200);
    problem(send(2000).await, 431, "header-fields-too-large").await;
}

#[tokio::test]
async fn a_slow_head_and_a_silent_connection_are_closed() {
    let limits = Limits { head_time_max: SHORT, ..Limits::default() };
    let site = Site::with(limits).await;
    for start in ["", "G", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: a\r\nx-slow:"] {
        assert_eq!(exchange(site.gateway, start).await, "", "{start:?}");
    }
    // A client that drips bytes has no more time than one that is silent.
    let mut raw = Raw::connect(site.gateway).await;
    raw.send("GET / HTTP/1.1\r\nx: ").await;
    let dripping = async {
        while raw.send("y").await {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    tokio::time::timeout(crate::site::PATIENCE, dripping).await.expect("closed in the end");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_its_own_time() {
    let limits = Limits { idle_time_max: SHORT, ..Limits::default() };
    let site = Site::with(limits).await;
    let mut raw = Raw::connect(site.gateway).await;
    raw.send("GET /one/read HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(raw.response().await.starts_with("HTTP/1.1 200"));
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn how_long_a_connection_is_kept_is_said_where_it_is() {
    let site = Site::new().await;
    let said = |answer: reqwest::Response| answer.headers().get("keep-alive").cloned();
    let longer_than_load_balancers = "timeout=75";
    let answer = site.get("/one/read").await;
    assert_eq!(said(answer).unwrap(), longer_than_load_balancers);
    let answer = client_http2().get(site.url("/one/read")).send().await.unwrap();
    assert_eq!(said(answer), None, "RFC 9113, 8.2.2");
    let closing = client().get(site.url("/one/read")).header("connection", "close");
    assert_eq!(said(closing.send().await.unwrap()), None);
}

#[tokio::test]
async fn a_kept_connection_outlives_the_time_for_a_head() {
    let limits = Limits { head_time_max: SHORT, ..Limits::default() };
    let site = Site::with(limits).await;
    let mut raw = Raw::connect(site.gateway).await;
    for _ in 0..2 {
        raw.send("GET /one/read HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(raw.response().await.starts_with("HTTP/1.1 200"));
        assert!(raw.is_silent_for(2 * SHORT).await);
    }
}

#[tokio::test]
async fn requests_past_the_limit_are_503_and_the_next_are_served() {
    let site = Site::with(Limits {
        requests_max: 2,
        queue_max: 0,
        peer_share_percent: 100,
        ..Limits::default()
    })
    .await;
    let waiting = [0, 1].map(|_| tokio::spawn(client().get(site.url("/one/wait")).send()));
    // The two are in when a third one finds no room.
    let refused = loop {
        let response = site.get("/one/read").await;
        if response.status() == 503 {
            break response;
        }
    };
    assert_eq!(refused.headers()["retry-after"], "1");
    problem(refused, 503, "overloaded").await;
    assert_eq!(site.text("/.well-known/spin/health").await, "OK");
    site.gate.add_permits(2);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "waited");
    }
    assert_eq!(site.text("/one/read").await, "read 0");
}

#[tokio::test]
async fn a_request_the_client_gave_up_makes_room() {
    let site = Site::with(Limits { requests_max: 1, queue_max: 0, ..Limits::default() }).await;
    let mut raw = Raw::connect(site.gateway).await;
    raw.send("GET /one/wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    while site.get("/one/read").await.status() != 503 {}
    drop(raw);
    while site.get("/one/read").await.status() != 200 {}
}

#[tokio::test]
async fn a_response_nobody_reads_is_cut() {
    let site = Site::with(Limits {
        response_stall_max: SHORT,
        requests_max: 1,
        queue_max: 0,
        ..Limits::default()
    })
    .await;
    let mut raw = Raw::connect(site.gateway).await;
    raw.send("GET /one/huge HTTP/1.1\r\nhost: a\r\n\r\n").await;
    while site.get("/one/read").await.status() != 503 {}
    while site.get("/one/read").await.status() != 200 {}
    assert!(raw.rest().await.len() < 64 << 20);
}

#[tokio::test]
async fn a_response_without_end_is_cut_at_the_deadline() {
    let site = Site::new().await;
    for client in [client(), client_http2()] {
        let response = client.get(site.url("/one/endless")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.bytes().await.is_err());
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_is_not_taken_for_whole() {
    let site = Site::new().await;
    for client in [client(), client_http2()] {
        let response = client.get(site.url("/one/broken")).send().await.unwrap();
        assert!(response.bytes().await.is_err());
    }
}

#[tokio::test]
async fn a_body_may_go_on_for_as_long_as_its_component_says() {
    let site = Site::new().await;
    for client in [client(), client_http2()] {
        let mut stream = client.get(site.url("/long/endless")).send().await.unwrap();
        assert_eq!(stream.chunk().await.unwrap().unwrap(), "begun");
        // Longer than the same body of component one lasts.
        let cut = client.get(site.url("/one/endless")).send().await.unwrap();
        assert!(cut.bytes().await.is_err());
        let more = tokio::time::timeout(SHORT, stream.chunk()).await;
        assert!(more.is_err(), "the stream goes on: {more:?}");
    }
}

#[tokio::test]
async fn streams_of_events_past_the_limit_are_503() {
    let limits = Limits { lasting_max: 2, peer_share_percent: 100, ..Limits::default() };
    let site = Site::with(limits).await;
    // Of one user's: another's would take the place of one of these.
    let open = async || {
        let request = client().get(site.url("/long/events")).header("authorization", "one");
        request.send().await.unwrap()
    };
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = open().await;
        assert_eq!(stream.chunk().await.unwrap().unwrap(), "begun");
        streams.push(stream);
    }
    problem(open().await, 503, "overloaded").await;
    assert_eq!(site.text("/long/read").await, "read 0", "others have their places");
    drop(streams);
    while open().await.status() != 200 {}
}
