//! The door for people and their programs: `/api/billing`, in JSON.
//!
//! Start at [`serve`]. Authentication is the guard's, in front of this component; a request without
//! its identity headers is refused.

mod answers;
mod bodies;
mod handlers;
mod path;

use ::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use http_body::Body;
use kit::caller::Caller;
use kit::{Problem, Reply, problem, reply, uuid};
use spin_sdk::http::Request;
use spin_sdk::http_service;

use path::{Target, target};

/// Answers one request.
#[http_service]
async fn serve(request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let answer = route(&parts.method, &parts.uri, &parts.headers, body).await;
    let answer = answer.unwrap_or_else(|problem| problem.into_reply(&parts.headers));
    if parts.method == Method::HEAD { reply::without_body(answer) } else { answer }
}

/// Who asks, and the headers they asked with.
struct Asker<'a> {
    caller: Caller,
    headers: &'a HeaderMap,
}

/// The caller before the path: somebody unknown does not even learn what exists.
async fn route<B>(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: B,
) -> Result<Reply, Problem>
where
    B: Body<Data = Bytes>,
{
    let asker = Asker { caller: Caller::from_headers(headers)?, headers };
    let target = target(uri.path()).ok_or_else(|| Problem::new(problem::NOT_FOUND))?;
    let (allow, query) = (target.methods(), uri.query().unwrap_or(""));
    match (target, method) {
        (_, &Method::OPTIONS) => Ok(reply::options(allow)),
        (Target::Accounts, &Method::GET | &Method::HEAD) => handlers::list(&asker, query).await,
        (Target::Accounts, &Method::POST) => handlers::open(&asker, body).await,
        (Target::Account(id), &Method::GET | &Method::HEAD) => {
            handlers::account(&asker, &parse_id(id)?).await
        }
        (Target::PatientAccount(id), &Method::GET | &Method::HEAD) => {
            handlers::patient_account(&asker, &parse_id(id)?).await
        }
        (Target::Statement(id), &Method::GET | &Method::HEAD) => {
            handlers::statement(&asker, &parse_id(id)?, query).await
        }
        (Target::Bookings(id, kind), &Method::POST) => {
            handlers::book(&asker, &parse_id(id)?, kind, body).await
        }
        (Target::Voids(id), &Method::POST) => handlers::void(&asker, &parse_id(id)?, body).await,
        _ => Err(Problem::method_not_allowed(allow)),
    }
}

fn parse_id(segment: &str) -> Result<String, Problem> {
    let malformed = || {
        Problem::new(problem::BAD_REQUEST)
            .detail("An id is a UUID, such as 123e4567-e89b-12d3-a456-426614174000.")
    };
    uuid::parse(segment).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;
    use ::http::header::ALLOW;
    use std::task::{Context, Poll, Waker};

    const ACCOUNT: &str = "/api/billing/accounts/123e4567-e89b-12d3-a456-426614174000";

    /// Sends a request that must be answered without the database: status and `Allow`.
    fn check(method: &str, path: &str, known: bool, expected: (u16, Option<&str>)) {
        let mut headers = HeaderMap::new();
        if known {
            let id = HeaderValue::from_static("123e4567-e89b-12d3-a456-426614174000");
            headers.insert("ward-user-id", id);
            headers.insert("ward-user-role", HeaderValue::from_static("ADMIN"));
            headers.insert("ward-token-id", HeaderValue::from_static("t"));
        }
        let (method, uri) = (method.parse().unwrap(), path.parse().unwrap());
        let routing = std::pin::pin!(route(&method, &uri, &headers, String::new()));
        let Poll::Ready(answer) = routing.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("{method} {path} went to the database");
        };
        let answer = answer.unwrap_or_else(|problem| problem.into_reply(&headers));
        let allow = answer.headers().get(ALLOW).map(|value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), allow), expected, "{method} {path}");
    }

    #[test]
    fn strangers_learn_nothing() {
        check("GET", "/api/billing/accounts", false, (401, None));
        check("GET", "/api/billing/nothing", false, (401, None));
        check("OPTIONS", ACCOUNT, false, (401, None));
        check("POST", &format!("{ACCOUNT}/charges"), false, (401, None));
    }

    #[test]
    fn what_is_answered_without_the_database() {
        let below = |name: &str| format!("{ACCOUNT}/{name}");
        let (read, book) = ("GET, HEAD, OPTIONS", "POST, OPTIONS");
        let collection = "GET, HEAD, POST, OPTIONS";
        check("GET", "/api/billing", true, (404, None));
        check("GET", &below("nothing"), true, (404, None));
        check("GET", "/api/billing/accounts/x", true, (400, None));
        check("GET", "/api/billing/patients/x/account", true, (400, None));
        check("POST", "/api/billing/accounts/x/charges", true, (400, None));
        check("GET", "/api/billing/accounts?limit=0", true, (400, None));
        check("GET", "/api/billing/accounts?colour=red", true, (400, None));
        check("GET", &below("statement?after=x"), true, (400, None));
        check("POST", "/api/billing/accounts", true, (415, None));
        check("POST", &below("charges"), true, (415, None));
        check("POST", &below("payments"), true, (415, None));
        check("POST", &below("voids"), true, (415, None));
        check("OPTIONS", "/api/billing/accounts", true, (204, Some(collection)));
        check("DELETE", "/api/billing/accounts", true, (405, Some(collection)));
        for path in [ACCOUNT, &below("statement")] {
            check("OPTIONS", path, true, (204, Some(read)));
            check("POST", path, true, (405, Some(read)));
            check("DELETE", path, true, (405, Some(read)));
        }
        for path in ["charges", "payments", "voids"] {
            check("OPTIONS", &below(path), true, (204, Some(book)));
            check("GET", &below(path), true, (405, Some(book)));
            check("PUT", &below(path), true, (405, Some(book)));
        }
    }
}
