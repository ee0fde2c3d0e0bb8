//! What a component may reach outside: over HTTP, over sockets, and what it may not.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::host::{Host, probe, quote};

/// A server that answers every connection with the same bytes, after it has read something.
async fn server(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0_u8; 4096];
                if stream.read(&mut request).await.is_ok_and(|len| len > 0) {
                    let _gone = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    address
}

fn page(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

async fn get(host: &Host, url: &str) -> String {
    host.text("probe", &format!("/http?url={}", quote(url))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_host_is_reached_and_no_other_port() {
    let (listed, other) = (server(page("listed")).await, server(page("other")).await);
    let host = probe(&[format!("http://{listed}")]).load();
    assert_eq!(get(&host, &format!("http://{listed}/x")).await, "ok 200 listed");
    for url in [
        format!("http://{other}/"),
        format!("http://localhost:{}/", listed.port()),
        format!("https://{listed}/"),
        "http://127.0.0.1/".to_owned(),
        "http://ward.invalid/".to_owned(),
    ] {
        assert_eq!(get(&host, &url).await, "error ErrorCode::HttpRequestDenied", "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_nothing_is_reached() {
    let address = server(page("here")).await;
    let host = probe(&[]).load();
    assert_eq!(
        get(&host, &format!("http://{address}/")).await,
        "error ErrorCode::HttpRequestDenied"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_handed_back_and_not_followed() {
    let target = server(page("the target")).await;
    let redirect = server(format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n"
    ))
    .await;
    let host = probe(&[format!("http://{redirect}")]).load();
    let answer = get(&host, &format!("http://{redirect}/")).await;
    assert_eq!(answer, format!("ok 302 to http://{target}/ "));
    let answer = get(&host, &format!("http://{target}/")).await;
    assert_eq!(answer, "error ErrorCode::HttpRequestDenied");
}

/// The runtime configuration has the last word, whatever name or notation leads to the address.
#[tokio::test(flavor = "multi_thread")]
async fn blocked_networks_are_not_reached_though_listed() {
    let address = server(page("private")).await;
    let port = address.port();
    for blocked in [r#"["private"]"#, r#"["127.0.0.0/8", "::/0"]"#] {
        let config = format!("[outbound_networking]\nblock_networks = {blocked}\n");
        let host = probe(&["http://*:*".to_owned()]).config(&config).load();
        for name in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"] {
            let answer = get(&host, &format!("http://{name}:{port}/")).await;
            assert!(answer.starts_with("error ErrorCode::"), "{blocked} {name}: {answer}");
        }
    }
    let host = probe(&["http://*:*".to_owned()]).load();
    assert_eq!(get(&host, &format!("http://{address}/")).await, "ok 200 private");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_an_error() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let host = probe(&[format!("http://{gone}")]).load();
    let answer = get(&host, &format!("http://{gone}/")).await;
    assert_eq!(answer, "error ErrorCode::ConnectionRefused");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_reach_nothing_that_is_not_listed() {
    let (listed, other) = (server("pong".to_owned()).await, server("pong".to_owned()).await);
    let connect = |address: SocketAddr| format!("/socket?addr={address}");
    for (allowed, address) in [
        (vec![], other),
        (vec![format!("tcp://{listed}")], other),
        // A grant for HTTP is none for sockets.
        (vec![format!("http://{listed}")], listed),
    ] {
        let host = probe(&allowed).load();
        let answer = host.text("probe", &connect(address)).await;
        assert!(answer.contains("PermissionDenied"), "{allowed:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_reaches_what_is_listed_by_address() {
    let listed = server("pong".to_owned()).await;
    let host = probe(&[format!("tcp://{listed}")]).load();
    assert_eq!(host.text("probe", &format!("/socket?addr={listed}")).await, "ok pong");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_do_not_reach_blocked_networks() {
    let address = server("pong".to_owned()).await;
    let host = probe(&["*://*:*".to_owned()])
        .config("[outbound_networking]\nblock_networks = [\"private\"]\n")
        .load();
    let answer = host.text("probe", &format!("/socket?addr={address}")).await;
    assert!(answer.starts_with("error"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_counted_until_their_instance_is_gone() {
    let address = server("pong".to_owned()).await;
    for setting in ["max_socket_connections", "max_total_connections"] {
        let config = format!("[outbound_networking]\n{setting} = 2\n");
        let host = probe(&[format!("tcp://{address}")]).config(&config).load();
        let connect = format!("/socket?addr={address}");
        for _ in 0..2 {
            assert_eq!(host.text("probe", &connect).await, "ok pong", "{setting}");
        }
        let third = host.text("probe", &connect).await;
        assert!(third.contains("PermissionDenied"), "{setting}: {third}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let host = probe(&["*://*:*".to_owned()]).load();
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
        let answer = host.text("probe", &format!("/listen?addr={}", quote(address))).await;
        assert!(answer.starts_with("error"), "{address}: {answer}");
    }
}
