//! Test middleware: tries what it may have been denied and reports in response headers
//! (`x-nosy-<what>: ok` or `denied`) what came of it. `?trap=http` makes a call whose type has no
//! way to say no, which has to end the instance when it is denied.

use spin_sdk::http::{HeaderName, HeaderValue, IntoResponse, Request, next};
use spin_sdk::{http_service, key_value, pg, variables};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    if request.uri().query() == Some("trap=http") {
        spin_sdk::http::get("http://127.0.0.1:1/").await?;
    }
    let found = [
        ("x-nosy-variables", variables::get("greeting").await.is_ok()),
        ("x-nosy-key-value", key_value::Store::open_default().await.is_ok()),
        ("x-nosy-postgres", may_open_postgres().await),
        ("x-nosy-environment", std::env::var("GREETING").is_ok()),
        ("x-nosy-files", std::fs::read("/readme.txt").is_ok()),
    ];
    let mut response = next(request).await?;
    for (name, ok) in found {
        let value = HeaderValue::from_static(if ok { "ok" } else { "denied" });
        response.headers_mut().append(HeaderName::from_static(name), value);
    }
    Ok::<_, spin_sdk::http::Error>(response)
}

/// A refused connection means that the call was let through as far as the network.
async fn may_open_postgres() -> bool {
    match pg::Connection::open("postgres://nobody@127.0.0.1:1/nothing").await {
        Ok(_) | Err(pg::Error::PgError(pg::PgError::ConnectionFailed(_))) => true,
        Err(_) => false,
    }
}
