//! Stopping: what is running ends, what comes is refused, what does not end is cut and counted.

use std::time::Duration;

use tokio::net::TcpStream;
use ward_http::{Drained, Limits};

use crate::raw::Raw;
use crate::site::{PATIENCE, Site, client, client_http2};

const REQUEST: &str = "GET /one/read HTTP/1.1\r\nhost: a\r\n\r\n";
const WAIT: &str = "GET /one/wait HTTP/1.1\r\nhost: a\r\n\r\n";

/// Waits until the one request there is room for has been taken.
async fn full(site: &Site) {
    while client().get(site.url("/one/read")).send().await.unwrap().status() != 503 {}
}

fn one_at_a_time() -> Limits {
    Limits { requests_max: 1, queue_max: 0, ..Limits::default() }
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let mut site = Site::new().await;
    assert_eq!(site.text("/one/read").await, "read 0");
    site.stop();
    assert_eq!(site.drained().await, Drained { requests: 0, cut: 0 });
}

#[tokio::test]
async fn a_request_in_flight_ends_and_the_door_is_shut() {
    let mut site = Site::with(one_at_a_time()).await;
    let (gateway, gate) = (site.gateway, site.gate.clone());
    let mut raw = Raw::connect(gateway).await;
    raw.send(WAIT).await;
    full(&site).await;
    site.stop();
    let shut = async { while TcpStream::connect(gateway).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, shut).await.expect("no new connections");
    gate.add_permits(1);
    let text = raw.rest().await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("waited"), "{text}");
    assert_eq!(site.drained().await, Drained { requests: 1, cut: 0 });
}

#[tokio::test]
async fn http_2_requests_in_flight_end_too() {
    let mut site = Site::with(one_at_a_time()).await;
    let gate = site.gate.clone();
    let waiting = tokio::spawn(client_http2().get(site.url("/one/wait")).send());
    full(&site).await;
    site.stop();
    tokio::time::sleep(Limits::default().drain_linger * 2).await;
    gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "waited");
    assert_eq!(site.drained().await, Drained { requests: 1, cut: 0 });
}

#[tokio::test]
async fn a_kept_connection_is_told_before_it_is_closed() {
    let limits = Limits { drain_linger: PATIENCE, drain_time_max: PATIENCE, ..Limits::default() };
    let mut site = Site::with(limits).await;
    let mut raw = Raw::connect(site.gateway).await;
    raw.send(REQUEST).await;
    assert!(raw.response().await.starts_with("HTTP/1.1 200"));
    site.stop();
    let told = loop {
        raw.send(REQUEST).await;
        let text = raw.response().await;
        if !text.starts_with("HTTP/1.1 200") {
            break text;
        }
    };
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
    assert!(told.contains("retry-after: 1") && told.contains("connection: close"), "{told}");
    assert!(told.contains("urn:ward:problem:draining"), "{told}");
    assert_eq!(raw.rest().await, "");
    assert_eq!(site.drained().await.cut, 0);
}

#[tokio::test]
async fn what_does_not_end_is_cut_and_counted() {
    let limits = Limits { drain_time_max: Duration::from_millis(300), ..one_at_a_time() };
    let mut site = Site::with(limits).await;
    let mut raw = Raw::connect(site.gateway).await;
    raw.send(WAIT).await;
    full(&site).await;
    site.stop();
    assert_eq!(raw.rest().await, "");
    assert_eq!(site.drained().await, Drained { requests: 1, cut: 1 });
}

#[tokio::test]
async fn streams_of_events_end_in_order_and_at_once() {
    for client in [client(), client_http2()] {
        let mut site = Site::with(Limits { drain_time_max: PATIENCE, ..Limits::default() }).await;
        let mut stream = client.get(site.url("/long/events")).send().await.unwrap();
        assert_eq!(stream.chunk().await.unwrap().unwrap(), "begun");
        site.stop();
        assert_eq!(stream.bytes().await.unwrap(), "", "an end, and no error");
        drop(client);
        assert_eq!(site.drained().await, Drained { requests: 1, cut: 0 });
    }
}

#[tokio::test]
async fn other_streams_are_not_taken_for_ended() {
    let limits = Limits { drain_time_max: Duration::from_millis(300), ..Limits::default() };
    let mut site = Site::with(limits).await;
    let mut stream = client().get(site.url("/long/endless")).send().await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "begun");
    site.stop();
    assert!(stream.chunk().await.is_err());
    assert_eq!(site.drained().await, Drained { requests: 1, cut: 1 });
}
