//! What one network address, one connection and one call that does not come may have.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1;
use ward_serve::Limits;

use crate::raw::Raw;
use crate::site::{Client, PATIENCE, Site, defaults};

const SHORT: Duration = Duration::from_millis(200);

/// A connection whose peer has greeted, and answers nothing after that.
async fn greeted(site: &Site) -> TcpStream {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    stream
}

#[tokio::test]
async fn more_that_greet_and_say_no_more_than_there_may_be_keep_nobody_out() {
    let site = Site::serving(Limits { connections_max: 400, ..defaults() }).await;
    let mut idle = Vec::new();
    for _ in 0..410 {
        idle.push(greeted(&site).await);
    }
    site.client().await.ask("echo", 0).await.unwrap();
}

#[tokio::test]
async fn a_call_whose_message_does_not_come_takes_no_place() {
    let limits = Limits { requests_max: 1, queue_max: 0, ..defaults() };
    let site = Site::serving(limits).await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut raw = Raw::connect(&site).await;
        waiting.push(tokio::spawn(async move {
            raw.call_without_end(&[("grpc-timeout", "2S")]).await.code
        }));
    }
    tokio::time::sleep(SHORT).await;
    site.client().await.ask("echo", 0).await.unwrap();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Some(Code::DeadlineExceeded));
    }
}

#[tokio::test]
async fn a_connection_has_a_part_of_its_peers_places() {
    let limits = Limits { requests_max: 4, peer_share_percent: 100, ..defaults() };
    let site = Site::serving(Limits { connection_part: 2, queue_max: 0, ..limits }).await;
    let client = site.client().await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let client = client.clone();
        waiting.push(tokio::spawn(async move { client.ask("wait", 0).await }));
    }
    site.reached_by(2).await;
    assert_eq!(client.ask("echo", 0).await.unwrap_err().code(), Code::Unavailable);
    site.client().await.ask("echo", 0).await.unwrap();
    site.gate.add_permits(2);
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_connections_streams_leave_room_for_anothers() {
    let limits = Limits { lasting_max: 12, ..defaults() };
    let site = Site::serving(limits).await;
    let request = HealthCheckRequest::default();
    let mut many = HealthClient::new(site.channel().await);
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(many.watch(request.clone()).await.unwrap().into_inner());
    }
    let refused = many.watch(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let mut other = HealthClient::new(site.channel().await);
    let mut watch = other.watch(request).await.unwrap().into_inner();
    assert!(watch.message().await.unwrap().is_some());
    // The oldest of those has to go, and is told why.
    let mut oldest = watches.remove(0);
    assert!(oldest.message().await.unwrap().is_some());
    assert_eq!(oldest.message().await.unwrap_err().code(), Code::Unavailable);
    let channel: Channel = site.channel().await;
    let mut reflection = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = reflection.server_reflection_info(tokio_stream::pending());
    tokio::time::timeout(PATIENCE, answers).await.unwrap().unwrap();
}

#[tokio::test]
async fn beside_busy_connections_health_is_told_and_nothing_else() {
    let limits = Limits { connections_max: 1, peer_share_percent: 100, ..defaults() };
    let site = Site::serving(limits).await;
    let client = site.client().await;
    let waiting = tokio::spawn(async move { client.ask("wait", 0).await });
    site.reached_by(1).await;
    let channel = site.channel().await;
    let asked = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    asked.unwrap();
    let refused = Client::new(channel).ask("echo", 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    site.gate.add_permits(1);
    waiting.await.unwrap().unwrap();
}
