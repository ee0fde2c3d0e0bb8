//! Which component a path reaches on which listener, and what the host answers itself.

use std::net::SocketAddr;

use crate::raw::exchange;
use crate::site::{Site, client, problem};

async fn first_line(address: SocketAddr, path: &str) -> String {
    let response = client().get(format!("http://{address}{path}")).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    format!("{status} {}", text.lines().next().unwrap_or_default().split(" http").next().unwrap())
}

#[tokio::test]
async fn the_gateway_serves_every_public_route() {
    let site = Site::new().await;
    for (path, expected) in [
        ("/one", "200 one GET"),
        ("/one/x/y?z", "200 one GET"),
        ("/one/by-id/7", "200 one GET"),
        ("/two/exact/", "200 two GET"),
        ("/twice", "200 two GET"),
        ("/robots.txt", "203 none"),
    ] {
        assert_eq!(first_line(site.gateway, path).await, expected, "{path}");
    }
    for path in ["/", "/two", "/two/exact/x", "/hidden", "/onex"] {
        problem(site.get(path).await, 404, "not-found").await;
    }
}

#[tokio::test]
async fn a_components_listener_serves_its_routes_and_nothing_else() {
    let site = Site::new().await;
    assert_eq!(first_line(site.service, "/one/x").await, "200 one GET");
    for path in ["/two/exact", "/twice", "/robots.txt", "/.well-known/spin/health"] {
        let response = client().get(format!("http://{}{path}", site.service)).send().await;
        problem(response.unwrap(), 404, "not-found").await;
    }
}

#[tokio::test]
async fn spin_well_known_paths() {
    let site = Site::new().await;
    assert_eq!(site.text("/.well-known/spin/health").await, "OK");
    let info = site.get("/.well-known/spin/info").await;
    assert_eq!(info.headers()["content-type"], "application/json");
    assert_eq!(info.text().await.unwrap(), r#"{"name":"clinic","version":"1.2.3"}"#);
    for path in ["/.well-known/spin/", "/.well-known/spin/health/", "/.well-known/spin/x"] {
        problem(site.get(path).await, 404, "not-found").await;
    }
    let post = client().post(site.url("/.well-known/spin/health")).send().await.unwrap();
    assert_eq!(post.headers()["allow"], "GET, HEAD");
    problem(post, 405, "method-not-allowed").await;
}

#[tokio::test]
async fn a_static_response_has_its_status_headers_and_body() {
    let site = Site::new().await;
    let response = site.get("/robots.txt").await;
    assert_eq!(response.status(), 203);
    assert_eq!(response.headers()["x-kind"], "static");
    assert_eq!(response.headers()["content-length"], "4");
    assert_eq!(response.text().await.unwrap(), "none");
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let site = Site::new().await;
    for path in ["/robots.txt", "/.well-known/spin/health", "/nowhere", "/one/x", "/one/trap"] {
        let close = format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let text = exchange(site.gateway, close).await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: "), "{path}: {head}");
        assert!(!head.contains("content-length: 0"), "{path}: {head}");
        assert_eq!(body, "", "{path}");
    }
}

#[tokio::test]
async fn failures_of_a_component_are_problem_documents_without_their_cause() {
    let site = Site::new().await;
    for (path, status, slug) in [
        ("/one/trap", 500, "component-failed"),
        ("/one/instantiate", 500, "component-failed"),
        ("/one/guest", 500, "component-failed"),
        ("/one/slow", 504, "deadline-exceeded"),
        ("/one/overloaded", 503, "overloaded"),
    ] {
        let response = site.get(path).await;
        assert_eq!(response.headers().contains_key("retry-after"), status == 503, "{path}");
        problem(response, status, slug).await;
    }
    // The connection and the server are as good as before.
    assert_eq!(site.text("/one/streamed").await, "one two three");
}
