//! Limits on the bodies of requests: length and pace, announced or not, read or not.

use std::time::Duration;

use ward_http::Limits;

use crate::raw::{Raw, exchange};
use crate::site::{Site, client_http2, problem};

const MAX: usize = 1000;

async fn site() -> Site {
    Site::with(Limits { body_bytes_max: MAX as u64, ..Limits::default() }).await
}

fn announced(path: &str, length: usize) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n");
    format!("{head}connection: close\r\n\r\n{}", "x".repeat(length))
}

/// In chunks of 100 bytes and one for the rest.
fn chunked(path: &str, length: usize) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n");
    let whole = format!("64\r\n{}\r\n", "x".repeat(100)).repeat(length / 100);
    let rest = match length % 100 {
        0 => String::new(),
        rest => format!("{rest:x}\r\n{}\r\n", "x".repeat(rest)),
    };
    format!("{head}connection: close\r\n\r\n{whole}{rest}0\r\n\r\n")
}

#[test]
fn the_default_is_10_mib() {
    assert_eq!(Limits::default().body_bytes_max, 10_485_760);
}

#[tokio::test]
async fn a_body_at_the_limit_passes_and_one_byte_more_is_413() {
    let site = site().await;
    for request in [announced("/one/read", MAX), chunked("/one/read", MAX)] {
        let text = exchange(site.gateway, request).await;
        assert!(text.ends_with("read 1000"), "{text}");
    }
    for request in [announced("/one/read", MAX + 1), chunked("/one/read", MAX + 1)] {
        let text = exchange(site.gateway, request).await;
        assert!(text.starts_with("HTTP/1.1 413"), "{text}");
        assert!(text.contains("urn:ward:problem:content-too-large"), "{text}");
        assert!(text.contains("connection: close"), "{text}");
    }
}

#[tokio::test]
async fn http_2_bodies_have_the_same_limit() {
    let site = site().await;
    let send = async |length: usize| {
        let body = "x".repeat(length);
        client_http2().post(site.url("/one/read")).body(body).send().await.unwrap()
    };
    assert_eq!(send(MAX).await.text().await.unwrap(), "read 1000");
    problem(send(MAX + 1).await, 413, "content-too-large").await;
}

#[tokio::test]
async fn a_client_that_sends_on_still_sees_the_413() {
    let site = Site::with(Limits { body_bytes_max: 1 << 20, ..Limits::default() }).await;
    let length = (2 << 20) - 1;
    for request in [announced("/one/read", length), chunked("/one/read", length)] {
        let mut raw = Raw::connect(site.gateway).await;
        assert!(raw.send(request).await);
        assert!(raw.rest().await.starts_with("HTTP/1.1 413"));
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_before_it_sends() {
    let site = site().await;
    let head = |length: usize| {
        format!(
            "POST /one/read HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\
             expect: 100-continue\r\nconnection: close\r\n\r\n"
        )
    };
    let text = exchange(site.gateway, head(MAX + 1)).await;
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    let mut raw = Raw::connect(site.gateway).await;
    raw.send(head(MAX)).await;
    assert_eq!(raw.response().await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("x".repeat(MAX)).await;
    assert!(raw.rest().await.ends_with("read 1000"));
}

#[tokio::test]
async fn a_body_nobody_reads_does_not_become_the_next_request() {
    let site = site().await;
    let inner = "GET /one/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for path in ["/one/x", "/nowhere", "/robots.txt"] {
        let length = inner.len();
        let mut raw = Raw::connect(site.gateway).await;
        raw.send(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{inner}\
             GET /one/next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        ))
        .await;
        let text = raw.rest().await;
        assert!(!text.contains("smuggled"), "{text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 2, "{text}");
        assert!(text.contains("/one/next"), "{text}");
    }
}

#[tokio::test]
async fn a_slow_body_is_408_and_a_steady_one_is_not() {
    let gap = Duration::from_millis(200);
    let site = Site::with(Limits { body_gap_max: gap, ..Limits::default() }).await;
    let head = "POST /one/read HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n";
    let mut slow = Raw::connect(site.gateway).await;
    slow.send(format!("{head}1234")).await;
    let text = slow.rest().await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(text.contains("urn:ward:problem:request-timeout"), "{text}");

    let mut steady = Raw::connect(site.gateway).await;
    steady.send(head).await;
    for byte in "12345678".bytes() {
        steady.send([byte]).await;
        tokio::time::sleep(gap / 4).await;
    }
    assert!(steady.response().await.ends_with("read 8"));
}
