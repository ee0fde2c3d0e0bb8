//! The auth service: who someone is, and a token that says so for fifteen minutes.
//!
//! It owns the database `auth` and is the only component that holds the private key. It decides
//! nothing about what a role may do. Start with [`login`]; [`password`] holds what is slow about
//! it and why. Nothing here logs or stores an address that was tried, a password or a token.

mod login;
mod password;
mod settings;
mod users;
mod validate;

use kit::problem::{NOT_FOUND, Problem};
use kit::reply::{self, Reply};
use spin_sdk::http::{Method, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let answer = match (parts.uri.path(), &parts.method) {
        ("/auth/login", &Method::POST) => login::answer(&parts.headers, body).await,
        ("/auth/login", _) => Err(Problem::method_not_allowed("POST")),
        ("/auth/validate", &Method::GET) => validate::answer(&parts.headers).await,
        ("/auth/validate", &Method::HEAD) => {
            validate::answer(&parts.headers).await.map(reply::without_body)
        }
        ("/auth/validate", _) => Err(Problem::method_not_allowed("GET, HEAD")),
        _ => Err(Problem::new(NOT_FOUND)),
    };
    let answer = answer.unwrap_or_else(|problem| problem.into_reply(&parts.headers));
    match parts.method {
        Method::HEAD => reply::without_body(answer),
        _ => answer,
    }
}
