//! What a component sees of a request's head.

use http::HeaderMap;

use crate::raw::exchange;
use crate::site::{Site, client, client_http2};

async fn seen(site: &Site, client: reqwest::Client, path: &str, sent: &[(&str, &str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        headers.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    client.get(site.url(path)).headers(headers).send().await.unwrap().text().await.unwrap()
}

#[track_caller]
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let prefix = format!("{name}: ");
    let mut found = text.lines().filter_map(|line| line.strip_prefix(&prefix));
    let value = found.next().unwrap_or_else(|| panic!("no {name} in {text}"));
    assert_eq!(found.next(), None, "{name} twice");
    value
}

#[tokio::test]
async fn spin_headers_are_set() {
    let site = Site::new().await;
    let text = seen(&site, client(), "/one/x/y/?q=1", &[]).await;
    assert_eq!(value(&text, "spin-full-url"), site.url("/one/x/y/?q=1"));
    assert_eq!(value(&text, "spin-path-info"), "/x/y/");
    assert_eq!(value(&text, "spin-matched-route"), "/one/...");
    assert_eq!(value(&text, "spin-component-route"), "/one");
    assert_eq!(value(&text, "spin-raw-component-route"), "/one/...");
    assert_eq!(value(&text, "spin-base-path"), "/");
    assert!(value(&text, "spin-client-addr").starts_with("127.0.0.1:"));
    assert!(text.starts_with(&format!("one GET {}\n", site.url("/one/x/y/?q=1"))), "{text}");
}

#[tokio::test]
async fn a_parameter_is_a_header() {
    let site = Site::new().await;
    let text = seen(&site, client(), "/one/by-id/a%20b", &[]).await;
    assert_eq!(value(&text, "spin-path-match-patient-id"), "a%20b");
    assert_eq!(value(&text, "spin-path-info"), "");
    assert_eq!(value(&text, "spin-matched-route"), "/one/by-id/:patient_id");
    assert_eq!(value(&text, "spin-component-route"), "/one/by-id/:patient_id");
}

#[tokio::test]
async fn without_spins_headers_a_component_learns_where_a_request_comes_from_and_no_more() {
    let site = Site::new().await;
    let text = seen(&site, client(), "/two/exact", &[("spin-client-addr", "6.6.6.6:6")]).await;
    assert!(value(&text, "spin-client-addr").starts_with("127.0.0.1:"), "{text}");
    assert_eq!(text.matches("spin-").count(), 1, "{text}");
    value(&text, "x-request-id");
}

#[tokio::test]
async fn what_only_the_host_may_say_is_removed() {
    let site = Site::new().await;
    let sent = [
        ("spin-client-addr", "6.6.6.6:6"),
        ("Spin-Full-Url", "http://evil/"),
        ("spin-path-match-admin", "1"),
        ("ward-user-id", "someone"),
        ("ward-user-role", "ADMIN"),
        ("x-forwarded-for", "10.0.0.1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    for client in [client(), client_http2()] {
        let text = seen(&site, client, "/one/x", &sent).await;
        assert!(!text.contains("6.6.6.6") && !text.contains("evil"), "{text}");
        assert!(!text.contains("ward-") && !text.contains("match-admin"), "{text}");
        assert_eq!(value(&text, "spin-full-url"), site.url("/one/x"));
        assert_eq!(value(&text, "x-forwarded-for"), "10.0.0.1");
        assert_eq!(value(&text, "traceparent"), sent[6].1);
    }
}

#[tokio::test]
async fn fields_of_the_connection_are_removed() {
    let site = Site::new().await;
    let request = "GET /one/x HTTP/1.1\r\nhost: a\r\nconnection: close, x-hop\r\nx-hop: 1\r\n\
                   keep-alive: timeout=5\r\nte: trailers\r\nupgrade: h2c\r\nx-end: 1\r\n\r\n";
    let text = exchange(site.gateway, request).await;
    let (_, seen) = text.split_once("\r\n\r\n").unwrap();
    for gone in ["connection:", "x-hop:", "keep-alive:", "te:", "upgrade:"] {
        assert!(!seen.contains(&format!("\n{gone}")), "{gone} in {seen}");
    }
    assert_eq!(value(seen, "x-end"), "1");
}

#[tokio::test]
async fn the_request_id_goes_both_ways() {
    let site = Site::new().await;
    let sent = "0198a3c0-7e1b-7c3a-9d52-0123456789ab";
    for (given, kept) in [(Some(sent), true), (Some("Jane Roe"), false), (None, false)] {
        let mut request = client().get(site.url("/one/x"));
        if let Some(given) = given {
            request = request.header("x-request-id", given);
        }
        let response = request.send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(value(&response.text().await.unwrap(), "x-request-id"), id);
        assert_eq!(id == sent, kept);
        assert_eq!(id.len(), 36);
    }
}
