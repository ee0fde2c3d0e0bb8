//! Limits of the HTTP server: at the limit a request passes, one past it there is a clear answer,
//! and whoever sends nothing is not waited for.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use ward_tests::{Answer, Api, Options, Ward};

/// The largest request head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The largest JSON document the components read.
const JSON_BYTES_MAX: usize = 64 * 1024;
/// The largest login.
const LOGIN_BYTES_MAX: usize = 4 * 1024;
/// The largest request body.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// What the host and a component call a body that is too large.
const HOST: &str = "urn:ward:problem:content-too-large";
const COMPONENT: &str = "urn:ward:problem:body-too-large";

fn too_large(answer: &Answer, kind: &str) {
    assert_eq!(answer.problem(413)["type"], kind, "{answer:?}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let api = Ward::shared().user().await;
    too_large(&Answer::of(json_of(&api, BODY_BYTES_MAX + 1)).await, HOST);
}

#[tokio::test]
async fn a_document_at_its_own_limit_is_read_and_one_byte_more_is_413() {
    let api = Ward::shared().user().await;
    let answer = Answer::of(json_of(&api, JSON_BYTES_MAX)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    too_large(&Answer::of(json_of(&api, JSON_BYTES_MAX + 1)).await, COMPONENT);
    // The host's own limit is not what stops it, and not what it stops.
    too_large(&Answer::of(json_of(&api, BODY_BYTES_MAX)).await, COMPONENT);
}

#[tokio::test]
async fn a_login_over_its_limit_is_413_however_it_comes() {
    let api = Ward::shared().api();
    let login = |bytes: usize| {
        let login = format!("{{\"email\":\"a@b.cd\",\"password\":\"x\"{}", "}");
        format!("{login}{}", " ".repeat(bytes - login.len()))
    };
    let request = || api.request("POST", "/auth/login").header("content-type", "application/json");
    Answer::of(request().body(login(LOGIN_BYTES_MAX))).await.problem(401);
    too_large(&Answer::of(request().body(login(LOGIN_BYTES_MAX + 1))).await, COMPONENT);
    let bytes = login(2 * LOGIN_BYTES_MAX).into_bytes();
    let pieces = bytes.into_iter().map(|byte| Ok::<_, std::io::Error>(vec![byte]));
    let pieces = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    too_large(&Answer::of(request().body(pieces)).await, COMPONENT);
}

#[tokio::test]
async fn a_document_of_too_many_values_is_refused() {
    let api = Ward::shared().user().await;
    let values = vec!["{\"\":0}"; 300].join(",");
    let request = api.request("POST", "/api/patients").header("content-type", "application/json");
    Answer::of(request.body(format!("[{values}]"))).await.problem(400);
}

#[tokio::test]
async fn a_body_that_only_claims_to_be_large_is_413_at_once() {
    let api = Ward::shared().user().await;
    let head = format!(
        "POST /api/patients HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
        api.token()
    );
    let answer = raw(&api, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains(HOST), "{answer}");
}

#[tokio::test]
async fn headers_over_the_limit_are_431() {
    let api = Ward::shared().user().await;
    let request = api.request("GET", "/api/patients?limit=1");
    let answer = Answer::of(request.header("x-padding", "x".repeat(HEAD_BYTES_MAX))).await;
    answer.problem(431);
    let mut request = api.request("GET", "/api/patients?limit=1");
    for number in 0..2000 {
        request = request.header(format!("x-{number}"), "x");
    }
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 431, "{answer:?}");
}

#[tokio::test]
async fn headers_of_an_endless_kind_end_the_connection() {
    let api = Ward::shared().api();
    let head =
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(HEAD_BYTES_MAX * 20));
    let mut stream = TcpStream::connect(api.authority()).await.expect("a connection");
    // The server may close before everything is sent.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection stays open");
}

#[tokio::test]
async fn headers_just_under_the_limit_pass() {
    let api = Ward::shared().user().await;
    let request = api.request("GET", "/api/patients?limit=1");
    let padding = "x".repeat(HEAD_BYTES_MAX - 4096);
    let answer = Answer::of(request.header("x-padding", padding)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_headers_is_cut_off() {
    let api = Ward::shared().api();
    let mut stream = TcpStream::connect(api.authority()).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.expect("sent");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection stays open");
}

#[tokio::test]
async fn ambiguous_framing_is_refused_and_the_connection_closed() {
    let api = Ward::shared().api();
    for framing in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 6\r\n",
        "Transfer-Encoding: gzip, chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
    ] {
        let head = format!("POST /auth/login HTTP/1.1\r\nHost: localhost\r\n{framing}\r\nhello");
        let answer = raw(&api, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{framing:?}: {answer}");
    }
}

#[tokio::test]
async fn a_smuggled_second_request_is_not_answered() {
    // Both lengths given: RFC 9112, 6.3 lets a server refuse, or honour chunked and close. In
    // either case what follows must not be taken for a request of its own.
    let api = Ward::shared().api();
    let smuggled = "GET /.well-known/spin/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let answer = raw(&api, head.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let api = Ward::shared().api();
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"HELLO\r\n\r\n", b"\0\0\r\n\r\n"]
    {
        let answer = raw(&api, bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert_eq!(api.get("/.well-known/spin/health").await.status, 200);
}

#[tokio::test]
async fn idle_connections_do_not_keep_others_out() {
    let home = Ward::new_home();
    let manifest = home.path().join("spin.toml");
    // One percent of 4096 connections are 40 for each address.
    let text = "spin_manifest_version = 2\napplication.name = \"idle\"\n\
                [application.tool.ward]\npeer_share_percent = 1\n\
                [[trigger.http]]\nroute = \"/\"\nstatic_response = { body = \"here\" }\n";
    std::fs::write(&manifest, text).expect("a manifest");
    let ward = Ward::start(Options::manifest(&manifest));
    let api = ward.api();
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(api.authority()).await.expect("a connection"));
    }
    assert_eq!(api.get("/").await.body, "here");
    let mut byte = [0];
    let first = idle[0].read(&mut byte);
    let closed = tokio::time::timeout(Duration::from_secs(20), first).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "those who came first had to go");
}

/// A valid patient in JSON padded with spaces to a length.
fn json_of(api: &Api, bytes: usize) -> reqwest::RequestBuilder {
    let mut body = ward_tests::Patient::unique().json().to_string();
    body.push_str(&" ".repeat(bytes - body.len()));
    api.request("POST", "/api/patients").header("content-type", "application/json").body(body)
}

/// Sends bytes and reads until the server closes or has nothing more to say.
async fn raw(api: &Api, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(api.authority()).await.expect("a connection");
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    let pause = Duration::from_secs(3);
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(pause, stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}
