//! Test middleware: leaves a mark on the request it hands on and on the response it hands back,
//! so that a test can see that a chain ran, and in which order; and adds what it is told to, so
//! that what comes after it gets what no client can send. It uses no capability.

use spin_sdk::http::{HeaderName, HeaderValue, IntoResponse, Request, next};
use spin_sdk::http_service;

/// Request header: one value is appended for each time a request passed.
const SEEN: HeaderName = HeaderName::from_static("x-tag-seen");
/// Response header: how often the request had passed before this layer.
const TAGGED: HeaderName = HeaderName::from_static("x-tag");
/// Request header: `name: value`, which becomes a header of its own.
const ADD: HeaderName = HeaderName::from_static("x-tag-add");

#[http_service]
async fn handle(mut request: Request) -> impl IntoResponse {
    let seen = request.headers().get_all(&SEEN).iter().count();
    request.headers_mut().append(&SEEN, HeaderValue::from(seen));
    if let Some(added) = request.headers_mut().remove(&ADD)
        && let Some((name, value)) = added.to_str().unwrap_or_default().split_once(": ")
        && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
    {
        request.headers_mut().append(name, value);
    }
    let mut response = next(request).await?;
    response.headers_mut().append(&TAGGED, HeaderValue::from(seen));
    Ok::<_, spin_sdk::http::Error>(response)
}
