//! The auth service: who someone is, and a token that says so for fifteen minutes.
//!
//! It owns the database `auth` and is the only component that holds the private key. It decides
//! nothing about what a role may do. Start with [`login`]; [`password`] holds what is slow about
//! it and why. Nothing here logs or stores an address that was tried, a password or a token.

#[cfg(test)]
mod api_tests;
mod login;
mod password;
mod settings;
mod users;
mod validate;

use http::StatusCode;
use kit::reply::Reply;
use kit::route::{self, Answers, Scope, Takes};
use spin_sdk::http::Request;
use spin_sdk::http_service;

/// Largest login read, in bytes (4 KiB): an address of 254 characters and a password of 1,024
/// bytes, and much of either escaped.
const LOGIN_BYTES_MAX: usize = 4096;

const LOGIN: Takes = Takes::Json { document: "Credentials", bytes_max: LOGIN_BYTES_MAX };

kit::operations! {
    /// What the service does. All of it is open: this is where one becomes known.
    Handler -> Reply;
    Login = Post "/auth/login" as "auth.login", Scope::Public, takes LOGIN,
        answers &[Answers::json(StatusCode::OK, "Granted")] => login::answer;
    Validate = Get "/auth/validate" as "auth.validate", Scope::Public,
        answers &[Answers::json(StatusCode::OK, "Valid")] => validate::answer;
}

/// Answers one request.
#[http_service]
async fn serve(request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let answer = Handler::answer(&parts.method, &parts.uri, &parts.headers, body).await;
    route::sent(answer, &parts.method, &parts.headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::ALLOW;
    use http::{HeaderMap, HeaderValue};
    use std::task::{Context, Poll, Waker};

    /// Sends a login or another request that must be answered without the database.
    fn check(method: &str, path: &str, body: String, expected: (u16, Option<&str>)) {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let (method, uri) = (method.parse().unwrap(), path.parse().unwrap());
        let answering = std::pin::pin!(Handler::answer(&method, &uri, &headers, body));
        let Poll::Ready(answer) = answering.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("{method} {path} went to the database");
        };
        let answer = route::sent(answer, &method, &headers);
        let allow = answer.headers().get(ALLOW).map(|value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), allow), expected, "{method} {path}");
    }

    #[test]
    fn what_is_answered_without_the_database() {
        for operation in Handler::TABLE.operations() {
            let methods = match operation.verb.as_str() {
                "GET" => "GET, HEAD, OPTIONS",
                _ => "POST, OPTIONS",
            };
            check("OPTIONS", operation.pattern, String::new(), (204, Some(methods)));
            check("PATCH", operation.pattern, String::new(), (405, Some(methods)));
        }
        check("GET", "/auth", String::new(), (404, None));
        check("POST", "/auth/login/more", String::new(), (404, None));
    }

    #[test]
    fn logins_are_small() {
        let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
        check("POST", "/auth/login", padded(LOGIN_BYTES_MAX), (400, None));
        check("POST", "/auth/login", padded(LOGIN_BYTES_MAX + 1), (413, None));
    }
}
