//! `grpc.health.v1`: for the whole, for each service, asked or watched, without a token.

use std::time::Duration;

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};
use tonic_health::pb::health_client::HealthClient;
use ward_serve::Limits;

use crate::site::{PATIENCE, Site, defaults};

const SERVICES: [&str; 3] = ["", "test.clinic.v1.Desk", "open.Desk"];

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn every_service_and_the_whole_are_serving() {
    let site = Site::new().await;
    let mut client = HealthClient::new(site.channel().await);
    for service in SERVICES {
        let answer = client.check(about(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), Serving, "{service}");
    }
    for service in ["Desk", "open.desk", "grpc.health.v1.Health", "x"] {
        let status = client.check(about(service)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{service}");
    }
}

#[tokio::test]
async fn who_watches_sees_the_end_and_who_asks_too() {
    let limits = Limits { drain_linger: PATIENCE, drain_time_max: PATIENCE, ..defaults() };
    let mut site = Site::serving(limits).await;
    let mut client = HealthClient::new(site.channel().await);
    let mut watches = Vec::new();
    for service in SERVICES {
        let mut watch = client.watch(about(service)).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().status(), Serving);
        watches.push(watch);
    }
    site.stop();
    for watch in &mut watches {
        assert_eq!(watch.message().await.unwrap().unwrap().status(), NotServing);
    }
    for service in SERVICES {
        let answer = client.check(about(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), NotServing, "{service}");
    }
}

#[tokio::test]
async fn a_watch_ends_with_the_server_and_does_not_hold_it_up() {
    let limits = Limits {
        drain_linger: Duration::from_millis(10),
        drain_time_max: PATIENCE * 2,
        ..defaults()
    };
    let mut site = Site::serving(limits).await;
    let mut client = HealthClient::new(site.channel().await);
    let mut watch = client.watch(about("")).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), Serving);
    site.stop();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), NotServing);
    assert_eq!(watch.message().await.unwrap(), None);
    assert_eq!(site.drained().await.cut, 0);
}

#[tokio::test]
async fn there_is_a_limit_on_watches_but_not_on_questions() {
    let site =
        Site::serving(Limits { lasting_max: 2, peer_share_percent: 100, ..defaults() }).await;
    let mut client = HealthClient::new(site.channel().await);
    let first = client.watch(about("")).await.unwrap();
    let _second = client.watch(about("")).await.unwrap();
    let status = client.watch(about("")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    client.check(about("")).await.unwrap();
    drop(first);
    while client.watch(about("")).await.is_err() {}
}
