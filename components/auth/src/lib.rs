//! The auth service: who someone is, a session that begins with a login, and tokens that say so for
//! fifteen minutes; and the users themselves.
//!
//! It owns the database `auth` and is the only component that holds the private key. It decides
//! nothing about what a role may do: guard stands in front of it, too, and lets everybody through
//! to what the policy calls public. Start with [`login`]; [`password`] holds what is slow about it
//! and why, [`announce`] how the end of a session is known everywhere. Nothing here logs or stores
//! an address that was tried, a password or a token.

mod announce;
#[cfg(test)]
mod api_tests;
mod back_off;
mod bodies;
mod failure;
mod issue;
mod keys;
mod limits;
mod login;
mod me;
mod names;
mod password;
mod refresh;
mod sessions;
mod settings;
mod store;
mod users;
mod validate;

use http::StatusCode;
use kit::Problem;
use kit::reply::Reply;
use kit::route::{self, Answers, Call, Takes};
use kit::trail::{self, Trail};
use spin_sdk::http::Request;
use spin_sdk::http_service;

use limits::DOCUMENT_BYTES_MAX;

/// A small document of this type.
const fn small(document: &'static str) -> Takes {
    Takes::Json { document, bytes_max: DOCUMENT_BYTES_MAX }
}

kit::operations! {
    /// What the service does.
    Handler -> Reply, ruled by policy::http::AUTH, refusals in store::DATABASE;
    Login = Post "/auth/login" as "auth.login", takes small("Credentials"),
        answers &[Answers::json(StatusCode::OK, "Granted")] => login::answer;
    Refresh = Post "/auth/refresh" as "auth.refresh", takes small("RefreshToken"),
        answers &[Answers::json(StatusCode::OK, "Granted")] => refresh::answer;
    Validate = Get "/auth/validate" as "auth.validate",
        answers &[Answers::json(StatusCode::OK, "Valid")] => validate::answer;
    Keys = Get "/auth/.well-known/jwks.json" as "auth.keys",
        answers &[Answers::json(StatusCode::OK, "KeySet")] => keys::answer;
    Logout = Post "/auth/logout" as "auth.logout",
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => sessions::logout;
    Sessions = Get "/auth/sessions" as "auth.sessions",
        answers &[Answers::json(StatusCode::OK, "Sessions")] => sessions::list;
    EndSession = Delete "/auth/sessions/{id}" as "auth.end-session",
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => sessions::delete;
    Me = Get "/auth/me" as "auth.me",
        answers &[Answers::json(StatusCode::OK, "User")] => me::read;
    ChangeMe = Put "/auth/me" as "auth.change-me", takes small("Profile"),
        answers &[Answers::json(StatusCode::OK, "User")] => me::replace;
    ChangePassword = Put "/auth/me/password" as "auth.change-password", takes small("Passwords"),
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => me::change_password;
    ListUsers = Get "/auth/users" as "auth.list-users",
        answers &[Answers::json(StatusCode::OK, "Users")] => users::list;
    CreateUser = Post "/auth/users" as "auth.create-user", takes small("NewUser"),
        answers &[Answers::json(StatusCode::CREATED, "User")] => users::create;
    ReadUser = Get "/auth/users/{id}" as "auth.read-user",
        answers &[Answers::json(StatusCode::OK, "User")] => users::read;
    ReplaceUser = Put "/auth/users/{id}" as "auth.replace-user", takes small("ChangedUser"),
        answers &[Answers::json(StatusCode::OK, "User")] => users::replace;
    DeleteUser = Delete "/auth/users/{id}" as "auth.delete-user",
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => users::delete;
    Audit = Get "/api/audit/auth" as "auth.audit",
        answers &[Answers::json(StatusCode::OK, "AuditEntries")] => audit;
}

/// What there is to be asked of the audit log.
const TRAIL: Trail = Trail {
    path: "/api/audit/auth",
    database: store::DATABASE,
    patients: false,
    break_glass: false,
};

/// `GET /api/audit/auth`
async fn audit(call: &Call<'_>) -> Result<Reply, Problem> {
    trail::answer(call, &TRAIL).await
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

    /// Sends a request that must be answered without the database: status and `Allow`.
    fn check(method: &str, path: &str, known: bool, body: String, expected: (u16, Option<&str>)) {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        if known {
            let id = HeaderValue::from_static("123e4567-e89b-12d3-a456-426614174000");
            headers.insert("ward-user-id", id);
            headers.insert("ward-user-role", HeaderValue::from_static("ADMIN"));
            headers.insert("ward-token-id", HeaderValue::from_static("t"));
        }
        let (method, uri) = (method.parse().unwrap(), path.parse().unwrap());
        let answering = std::pin::pin!(Handler::answer(&method, &uri, &headers, body));
        let Poll::Ready(answer) = answering.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("{method} {path} went to the database");
        };
        let answer = route::sent(answer, &method, &headers);
        let allow = answer.headers().get(ALLOW).map(|value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), allow), expected, "{method} {path}");
    }

    fn check_known(method: &str, path: &str, expected: (u16, Option<&str>)) {
        check(method, path, true, String::new(), expected);
    }

    #[test]
    fn what_is_answered_without_the_database() {
        let methods = "GET, HEAD, PUT, DELETE, OPTIONS";
        check_known("OPTIONS", "/auth/users/x", (204, Some(methods)));
        check_known("PATCH", "/auth/users/x", (405, Some(methods)));
        check_known("OPTIONS", "/auth/login", (204, Some("POST, OPTIONS")));
        check_known("GET", "/auth/login", (405, Some("POST, OPTIONS")));
        check_known("GET", "/auth", (404, None));
        check_known("POST", "/auth/login/more", (404, None));
        check_known("GET", "/auth/users/x", (400, None));
        check_known("GET", "/auth/users?name=Ann", (400, None));
        check_known("DELETE", "/auth/sessions/x", (400, None));
        check_known("POST", "/auth/users", (400, None));
        // A token without a session has none to end.
        check_known("POST", "/auth/logout", (401, None));
    }

    #[test]
    fn what_is_not_public_is_closed_to_strangers() {
        for operation in Handler::TABLE.operations() {
            if !matches!(operation.scope, route::Scope::Public) {
                let path = operation.pattern.replace("{id}", "x");
                check(operation.verb.as_str(), &path, false, String::new(), (401, None));
            }
        }
    }

    #[test]
    fn documents_are_small() {
        let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
        for path in ["/auth/login", "/auth/refresh", "/auth/users"] {
            check("POST", path, true, padded(DOCUMENT_BYTES_MAX), (400, None));
            check("POST", path, true, padded(DOCUMENT_BYTES_MAX + 1), (413, None));
        }
    }
}
