//! What no well-behaved client sends. The rule behind all of it: whatever two parties on the way
//! could read differently is refused, or ends the connection, so that no second request hides.

use crate::raw::{exchange, responses};
use crate::site::Site;

/// Everything that comes back, for requests that must not leave the connection open.
async fn answer(request: &str) -> String {
    let site = Site::new().await;
    exchange(site.gateway, request).await
}

#[tokio::test]
async fn malformed_heads_are_400_and_close() {
    let site = Site::new().await;
    for request in [
        "GET /one HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a\r\n: empty\r\n\r\n",
        "GET  /one HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /one HTTP/1.2\r\nhost: a\r\n\r\n",
        "GET /one\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "GET /one HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\nx",
        "GET /one HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx",
        "GET /one HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\nx",
        "GET /one HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\nx",
        "GET /one HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
        "GET /one HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let text = exchange(site.gateway, request).await;
        assert!(
            text.starts_with("HTTP/1.1 400") || text.starts_with("HTTP/1.0 400"),
            "{request:?}: {text}"
        );
    }
}

#[tokio::test]
async fn a_request_without_one_clear_host_is_a_400_problem() {
    let site = Site::new().await;
    for request in [
        "GET /one HTTP/1.1\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET http://a/one HTTP/1.1\r\nhost: b\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a:b\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a:99999\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a:+1\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: a:-1\r\n\r\n",
        "GET /one HTTP/1.1\r\nhost: admin@a\r\n\r\n",
    ] {
        let text = exchange(site.gateway, request).await;
        assert!(text.starts_with("HTTP/1.1 400"), "{request:?}: {text}");
        assert!(text.contains("urn:ward:problem:bad-request"), "{request:?}: {text}");
        assert!(text.contains("connection: close"), "{request:?}: {text}");
    }
}

#[tokio::test]
async fn connect_opens_no_tunnel() {
    let text =
        answer("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\nGET /one HTTP/1.1\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 501"), "{text}");
    assert_eq!(responses(&text), 1, "{text}");
}

#[tokio::test]
async fn length_beside_chunks_counts_the_chunks_and_ends_the_connection() {
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    ] {
        let text = answer(&format!(
            "POST /one/read HTTP/1.1\r\nhost: a\r\n{fields}\r\n0\r\n\r\n\
             GET /one/smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
        ))
        .await;
        assert!(text.ends_with("read 0"), "{text}");
        assert_eq!(responses(&text), 1, "{text}");
    }
}

#[tokio::test]
async fn equal_lengths_count_once() {
    let text = answer(
        "POST /one/read HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 3\r\n\
         connection: close\r\n\r\nxyz",
    )
    .await;
    assert!(text.ends_with("read 3"), "{text}");
}

/// RFC 9112 lets a bare LF end a line. It ends one line then, and hides nothing.
#[tokio::test]
async fn a_bare_line_feed_ends_a_line_of_a_head() {
    let text = answer("GET /one/x HTTP/1.1\nhost: a\nx-one: 1\nconnection: close\n\n").await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("x-one: 1\n"), "{text}");
    assert_eq!(responses(&text), 1, "{text}");
}

#[tokio::test]
async fn malformed_chunks_reach_no_component_as_a_body() {
    for chunks in [
        "5\nhello\r\n0\r\n\r\n",
        "5 x\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx",
    ] {
        let text = answer(&format!(
            "POST /one/read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}\
             GET /one/smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
        ))
        .await;
        assert!(!text.contains("read 5") && !text.contains("smuggled"), "{chunks:?}: {text}");
        assert!(responses(&text) <= 1, "{chunks:?}: {text}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let text = answer(
        "GET /one/a HTTP/1.1\r\nhost: a\r\n\r\nGET /one/b HTTP/1.1\r\nhost: a\r\n\
         connection: close\r\n\r\n",
    )
    .await;
    assert_eq!(responses(&text), 2, "{text}");
    assert!(text.find("/one/a").unwrap() < text.find("/one/b").unwrap());
}
