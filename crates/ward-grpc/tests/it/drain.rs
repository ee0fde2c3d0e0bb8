//! Stopping: what is running ends, no connection is taken any more, what does not end is cut and
//! counted.

use std::time::Duration;

use tokio::net::TcpStream;
use tonic::Code;
use ward_grpc::Drained;
use ward_serve::Limits;

use crate::site::{PATIENCE, Site, defaults};

#[tokio::test]
async fn an_idle_server_stops_and_its_clients_go() {
    let mut site = Site::new().await;
    let client = site.client().await;
    client.ask("echo", 0).await.unwrap();
    site.stop();
    assert_eq!(site.drained().await, Drained { requests: 0, cut: 0 });
    assert_eq!(client.ask("echo", 0).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_call_in_flight_ends_and_the_door_is_shut() {
    let mut site = Site::new().await;
    let (address, gate) = (site.address, site.gate.clone());
    let client = site.client().await;
    let waiting = tokio::spawn(async move { client.ask("wait", 3).await });
    site.reached_by(1).await;
    site.stop();
    let shut = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, shut).await.expect("no new connections");
    gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().text, "waited");
    assert_eq!(site.drained().await, Drained { requests: 1, cut: 0 });
}

#[tokio::test]
async fn calls_that_come_before_clients_are_told_to_go_are_answered() {
    let limits = Limits { drain_linger: PATIENCE, drain_time_max: PATIENCE, ..defaults() };
    let mut site = Site::serving(limits).await;
    let client = site.client().await;
    client.ask("echo", 0).await.unwrap();
    site.stop();
    let address = site.address;
    let shut = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, shut).await.expect("no new connections");
    client.ask("echo", 0).await.unwrap();
    drop(client);
    assert_eq!(site.drained().await, Drained { requests: 0, cut: 0 });
}

#[tokio::test]
async fn what_does_not_end_is_cut_and_counted() {
    let limits = Limits { drain_time_max: Duration::from_millis(100), ..defaults() };
    let mut site = Site::serving(limits).await;
    let client = site.client().await;
    let waiting = tokio::spawn(async move { client.ask("never", 0).await });
    site.reached_by(1).await;
    site.stop();
    assert!(waiting.await.unwrap().is_err());
    assert_eq!(site.drained().await, Drained { requests: 1, cut: 1 });
}
