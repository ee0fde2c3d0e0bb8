//! What one network address may have of what there is: connections, places, streams that last.

use std::time::Duration;

use ward_http::{Limits, Options};
use ward_serve::Proxies;

use crate::raw::{Raw, exchange};
use crate::site::{Site, client, client_from, problem};

const SHORT: Duration = Duration::from_millis(200);
const OTHER: [u8; 4] = [127, 0, 0, 2];
const READ: &str = "GET /one/read HTTP/1.1\r\nhost: a\r\n\r\n";
const WAIT: &str = "GET /one/wait HTTP/1.1\r\nhost: a\r\n\r\n";

/// Two connections for each address.
fn two_each() -> Limits {
    Limits { connections_max: 8, ..Limits::default() }
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_the_next_of_its_address() {
    let site = Site::with(two_each()).await;
    let mut used = Raw::connect(site.gateway).await;
    used.send(READ).await;
    assert!(used.response().await.ends_with("read 0"));
    let silent = Raw::connect(site.gateway).await;
    tokio::time::sleep(SHORT / 4).await;
    let mut third = Raw::connect(site.gateway).await;
    third.send(READ).await;
    assert!(third.response().await.ends_with("read 0"));
    // The one that never said anything had to go, though the other had been there for longer.
    assert_eq!(silent.rest().await, "");
    used.send(READ).await;
    assert!(used.response().await.ends_with("read 0"));
}

#[tokio::test]
async fn more_idle_connections_than_there_may_be_keep_nobody_out() {
    let site = Site::with(Limits { connections_max: 400, ..Limits::default() }).await;
    let mut idle = Vec::new();
    for number in 0..410 {
        idle.push(Raw::connect(site.gateway).await);
        if number % 100 == 0 {
            assert_eq!(site.text("/one/read").await, "read 0");
        }
    }
    assert_eq!(site.text("/one/read").await, "read 0");
    let other = client_from(OTHER).get(site.url("/one/read")).send().await.unwrap();
    assert_eq!(other.text().await.unwrap(), "read 0");
}

#[tokio::test]
async fn when_all_are_taken_the_address_with_most_makes_room() {
    let limits = Limits { connections_max: 3, peer_share_percent: 67, ..Limits::default() };
    let site = Site::with(limits).await;
    let oldest = Raw::connect(site.gateway).await;
    tokio::time::sleep(SHORT / 4).await;
    let mut younger = Raw::connect(site.gateway).await;
    let mut other = Raw::connect_from(OTHER, site.gateway).await;
    let mut third = Raw::connect_from([127, 0, 0, 3], site.gateway).await;
    assert_eq!(oldest.rest().await, "");
    for raw in [&mut younger, &mut other, &mut third] {
        raw.send(READ).await;
        assert!(raw.response().await.ends_with("read 0"));
    }
}

#[tokio::test]
async fn beside_busy_connections_health_is_told_and_nothing_else() {
    let limits = Limits { connections_max: 2, peer_share_percent: 100, ..Limits::default() };
    let site = Site::with(limits).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::connect(site.gateway).await;
        raw.send(WAIT).await;
        busy.push(raw);
    }
    tokio::time::sleep(SHORT).await;
    let health = "GET /.well-known/spin/health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(exchange(site.gateway, health).await.starts_with("HTTP/1.1 200"));
    let text = exchange(site.gateway, READ).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("retry-after: 1"), "{text}");
    assert!(text.contains("urn:ward:problem:overloaded"), "{text}");
    site.gate.add_permits(2);
    for mut raw in busy {
        assert!(raw.response().await.ends_with("waited"));
    }
    assert!(
        exchange(site.gateway, READ.replace("a\r\n\r\n", "a\r\nconnection: close\r\n\r\n"))
            .await
            .ends_with("read 0")
    );
}

#[tokio::test]
async fn one_address_has_its_share_of_the_places() {
    let limits = Limits { requests_max: 8, connection_part: 1, queue_max: 0, ..Limits::default() };
    let site = Site::with(limits).await;
    let waiting = [0, 1].map(|_| tokio::spawn(client().get(site.url("/one/wait")).send()));
    while site.get("/one/read").await.status() != 503 {}
    let other = client_from(OTHER).get(site.url("/one/read")).send().await.unwrap();
    assert_eq!(other.status(), 200);
    site.gate.add_permits(2);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn one_users_streams_leave_room_for_anothers() {
    let site = Site::with(Limits { lasting_max: 12, ..Limits::default() }).await;
    let open = async |user: &str| {
        let request = client().get(site.url("/long/events")).header("authorization", user);
        request.send().await.unwrap()
    };
    let mut many = Vec::new();
    for _ in 0..3 {
        let mut stream = open("one").await;
        assert_eq!(stream.chunk().await.unwrap().unwrap(), "begun");
        many.push(stream);
    }
    problem(open("one").await, 503, "overloaded").await;
    let mut other = open("another").await;
    assert_eq!(other.chunk().await.unwrap().unwrap(), "begun");
    assert_eq!(many.remove(0).bytes().await.unwrap(), "", "an end, and no error");
}

#[tokio::test]
async fn behind_a_trusted_proxy_a_peer_is_whom_it_speaks_for() {
    let limits = Limits { requests_max: 4, queue_max: 0, ..Limits::default() };
    let proxies = Proxies::new(["127.0.0.1/32".parse().unwrap()]);
    let site = Site::start(Options { limits, proxies, ..Options::default() }).await;
    let get = |path: &str, client_address: &str| {
        client().get(site.url(path)).header("x-forwarded-for", client_address).send()
    };
    let waiting = tokio::spawn(get("/one/wait", "192.0.2.1"));
    while get("/one/read", "192.0.2.1").await.unwrap().status() != 503 {}
    assert_eq!(get("/one/read", "192.0.2.2").await.unwrap().status(), 200);
    site.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}
