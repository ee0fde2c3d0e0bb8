//! The documents of the API, and pages to read and try them: `/` and `/api-docs`.
//!
//! Open to everybody, without a database, and granted nothing: all of it is known when this is
//! built. The documents are the files of `docs/api`, which the services' own tests keep; the page
//! is Swagger UI out of its package, so that nothing is fetched from anywhere else.

mod files;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY};
use http::{HeaderValue, StatusCode};
use kit::problem::NOT_FOUND;
use kit::route::{self, Answers, Call};
use kit::{Problem, Reply, reply};
use serde::Serialize;
use spin_sdk::http::Request;
use spin_sdk::http_service;

use files::{ASSETS, DOCUMENTS, File};

const HTML: &str = "text/html; charset=utf-8";

/// What a page may do: load what is ours, and ask nobody but us. Swagger UI has its arrows as
/// `data:` images.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

kit::operations! {
    /// What the service does.
    Handler -> Reply, ruled by policy::http::DOCS;
    Home = Get "/" as "docs.home",
        answers &[Answers::json(StatusCode::OK, "Links"), Answers::text(HTML)] => home;
    Page = Get "/api-docs" as "docs.page", answers &[Answers::text(HTML)] => page;
    Document = Get "/api-docs/{name}" as "docs.document",
        answers &[Answers::json(StatusCode::OK, "Document")] => document;
    Asset = Get "/api-docs/ui/{name}" as "docs.asset",
        answers &[Answers::text("text/javascript"), Answers::text("text/css")] => asset;
}

/// Answers one request.
#[http_service]
async fn serve(request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let answer = Handler::answer(&parts.method, &parts.uri, &parts.headers, body).await;
    route::sent(answer, &parts.method, &parts.headers)
}

/// Where to go on from `/`, for programs.
#[derive(Serialize)]
struct Links {
    documentation: &'static str,
    documents: Vec<String>,
    health: &'static str,
}

/// `GET /`: a page for browsers, links for others.
async fn home(call: &Call<'_>) -> Result<Reply, Problem> {
    let accepted = call.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut answer = if accepted.into_iter().any(|accepts| accepts.contains("text/html")) {
        shown(include_str!("pages/home.html"))
    } else {
        let documents = DOCUMENTS.iter().map(|file| format!("/api-docs/{}", file.name));
        let health = "/.well-known/spin/health";
        let documents = documents.collect();
        reply::json(StatusCode::OK, &Links { documentation: "/api-docs", documents, health })
    };
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    Ok(answer)
}

/// `GET /api-docs`
async fn page(_: &Call<'_>) -> Result<Reply, Problem> {
    Ok(shown(include_str!("pages/api.html")))
}

/// `GET /api-docs/{name}`
async fn document(call: &Call<'_>) -> Result<Reply, Problem> {
    found(&DOCUMENTS, call.segment("name"))
}

/// `GET /api-docs/ui/{name}`: these may be kept for a while, as they change with a release only.
async fn asset(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut answer = found(&ASSETS, call.segment("name"))?;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    Ok(answer)
}

fn found(files: &'static [File], name: &str) -> Result<Reply, Problem> {
    let file = files.iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| Problem::new(NOT_FOUND).detail("There is no such document."))?;
    Ok(reply::text(file.media, file.text))
}

/// A page.
fn shown(html: &'static str) -> Reply {
    let mut answer = reply::text(HTML, html);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    answer.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

#[cfg(test)]
mod tests;
