//! What is served, and how.

use super::*;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, Method, Uri};
use std::task::{Context, Poll, Waker};

fn get(path: &'static str, accept: &'static str) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    let uri = Uri::from_static(path);
    let answering = std::pin::pin!(Handler::answer(&Method::GET, &uri, &headers, String::new()));
    let Poll::Ready(answer) = answering.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing here waits");
    };
    route::sent(answer, &Method::GET, &headers)
}

fn check(path: &'static str, accept: &'static str, status: u16, media: &str) {
    let answer = get(path, accept);
    assert_eq!(answer.status().as_u16(), status, "{path}");
    assert_eq!(answer.headers()[CONTENT_TYPE], media, "{path}");
    let page = media.starts_with("text/html");
    assert_eq!(answer.headers().contains_key(CONTENT_SECURITY_POLICY), page, "{path}");
}

#[test]
fn browsers_get_pages_and_programs_get_documents() {
    check("/", "text/html,application/xhtml+xml,*/*;q=0.8", 200, HTML);
    check("/", "*/*", 200, "application/json");
    check("/api-docs", "*/*", 200, HTML);
    check("/api-docs/", "*/*", 200, HTML);
    check("/api-docs/patients", "text/html", 200, "application/json");
    check("/api-docs/accounts.proto", "*/*", 200, "text/plain; charset=utf-8");
    check("/api-docs/ui/swagger-ui.css", "*/*", 200, "text/css; charset=utf-8");
    check("/api-docs/nothing", "*/*", 404, "application/problem+json");
    check("/api-docs/ui/nothing", "*/*", 404, "application/problem+json");
    assert_eq!(get("/", "*/*").headers()[VARY], "accept");
    assert!(!get("/", "*/*").headers().contains_key(ALLOW));
}

#[test]
fn pages_load_what_is_there() {
    for page in [include_str!("pages/home.html"), include_str!("pages/api.html")] {
        for link in page.split(['"']).filter(|part| part.starts_with('/')) {
            let link: &'static str = Box::leak(link.to_owned().into_boxed_str());
            assert_eq!(get(link, "*/*").status(), StatusCode::OK, "{link}");
        }
        assert!(!page.contains("<style") && !page.contains("<script>"), "the policy forbids it");
    }
    let start = include_str!("pages/start.js");
    for file in DOCUMENTS.iter().filter(|file| file.media == "application/json") {
        let document: serde_json::Value = serde_json::from_str(file.text).unwrap();
        let listed = start.contains(&format!("\"{}\"", file.name));
        assert_eq!(listed, document.get("openapi").is_some(), "{}", file.name);
    }
}
