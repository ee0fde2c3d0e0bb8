//! Limits on connections and calls, each at the limit and past it. Whoever says nothing, or takes
//! nothing, is not waited for.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use ward_serve::Limits;

use crate::site::{ASK_BRIEFLY, PATIENCE, Site, defaults};

const SHORT: Duration = Duration::from_millis(100);

/// What the server sends until it closes the connection.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes));
    // A reset is an end, too.
    drop(read.await.expect("closed in time"));
    bytes
}

#[tokio::test]
async fn so_many_calls_at_once_and_no_more() {
    let site = Site::serving(Limits {
        requests_max: 2,
        queue_max: 0,
        peer_share_percent: 100,
        connection_part: 1,
        ..defaults()
    })
    .await;
    let client = site.client().await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let client = client.clone();
        waiting.push(tokio::spawn(async move { client.ask("wait", 0).await }));
    }
    site.reached_by(2).await;
    assert_eq!(client.ask("echo", 0).await.unwrap_err().code(), Code::Unavailable);
    site.gate.add_permits(2);
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    client.ask("echo", 0).await.unwrap();
}

#[tokio::test]
async fn who_does_not_greet_is_not_waited_for() {
    let site = Site::serving(Limits { head_time_max: SHORT, ..defaults() }).await;
    for start in ["", "P", "PRI * HTTP/2.0\r\n\r\n"] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        rest(&mut stream).await;
    }
    // Who has greeted may think about it for as long as an idle connection may.
    let client = site.client().await;
    tokio::time::sleep(SHORT * 3).await;
    client.ask("echo", 0).await.unwrap();
}

#[tokio::test]
async fn who_comes_with_http_1_is_told_what_is_spoken() {
    let site = Site::new().await;
    let web = "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
               content-type: application/grpc-web+proto\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0";
    for head in ["GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", web] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = String::from_utf8(rest(&mut stream).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 505 "), "{answer}");
        assert!(answer.contains("gRPC over HTTP/2") && answer.contains("text/plain"), "{answer}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_client_comes_back() {
    let site = Site::serving(Limits { idle_time_max: SHORT, ..defaults() }).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let bytes = rest(&mut stream).await;
    // A frame of type 7, GOAWAY, on stream 0.
    assert!(bytes.windows(6).any(|bytes| bytes == [7, 0, 0, 0, 0, 0]), "{bytes:?}");
    let client = site.client().await;
    client.ask("echo", 0).await.unwrap();
    tokio::time::sleep(SHORT * 3).await;
    // A client that had not noticed yet tries again; this one's library leaves that to its caller.
    let again = client.ask("echo", 0).await;
    assert!(again.is_ok() || client.ask("echo", 0).await.is_ok());
}

#[tokio::test]
async fn a_client_that_resets_without_end_is_sent_away() {
    let site = Site::serving(Limits { resets_max: 5, ..defaults() }).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for number in 0..1000_u32 {
        let id = (number * 2 + 1).to_be_bytes();
        // HEADERS with END_HEADERS: :method POST, :scheme http, :path /; then RST_STREAM.
        bytes.extend([0, 0, 3, 1, 4]);
        bytes.extend(id);
        bytes.extend([0x83, 0x86, 0x84]);
        bytes.extend([0, 0, 4, 3, 0]);
        bytes.extend(id);
        bytes.extend([0, 0, 0, 8]);
    }
    drop(stream.write_all(&bytes).await);
    rest(&mut stream).await;
    site.client().await.ask("echo", 0).await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_dropped() {
    let limits = Limits { response_stall_max: SHORT, ..defaults() };
    let site = Site::serving(limits).await;
    let (mut sender, connection) = {
        let stream = TcpStream::connect(site.address).await.unwrap();
        let mut builder =
            hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
        // A window that shuts after the answer's first bytes.
        builder.initial_stream_window_size(10);
        builder.handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap()
    };
    let connection = tokio::spawn(connection);
    let question = prost::Message::encode_to_vec(&crate::site::Question {
        what: "long".to_owned(),
        count: 100_000,
        ..Default::default()
    });
    let body = http_body_util::Full::new(crate::raw::frame(0, &question));
    let response =
        sender.send_request(crate::raw::request_to(ASK_BRIEFLY, &[]).body(body).unwrap()).await;
    let response = response.unwrap();
    let ended = tokio::time::timeout(PATIENCE, connection).await.expect("dropped in time");
    assert!(ended.is_ok());
    drop(response);
}
