//! The patients service: `/api/patients`, kept in the database `patients`.
//!
//! Start here: [`serve`] finds out who is asking and what for, and hands over to one function of
//! [`handlers`] for each operation. Below them, [`validate`] and [`query`] read what a client
//! sends, and [`store`] holds one statement for each operation, which reads or changes patients and
//! writes the audit row (and the event, for a change) at once: there is no transaction to forget.
//!
//! Whoever is created gets an account from billing, which is called over its contract
//! ([`billing`]); what billing did not hear it learns from the events.
//!
//! Authentication is the guard's, in front of this component; a request without its identity
//! headers is refused. Nothing is kept between requests, and no patient data is logged.

mod billing;
mod bindings;
mod handlers;
mod model;
mod query;
mod store;
mod validate;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use http_body::Body;
use kit::identity::Identity;
use kit::{Problem, Reply, problem, reply, uuid};
use spin_sdk::http::Request;
use spin_sdk::http_service;

/// Where the collection is. A patient is one segment below.
const COLLECTION: &str = "/api/patients";
const COLLECTION_METHODS: &str = "GET, HEAD, POST, OPTIONS";
const PATIENT_METHODS: &str = "GET, HEAD, PUT, DELETE, OPTIONS";

/// Answers one request.
#[http_service]
async fn serve(request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let answer = route(&parts.method, &parts.uri, &parts.headers, body).await;
    let answer = answer.unwrap_or_else(|problem| problem.into_reply(&parts.headers));
    if parts.method == Method::HEAD { reply::without_body(answer) } else { answer }
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
    let caller = handlers::Caller { identity: Identity::from_headers(headers)?, headers };
    match target(uri.path()).ok_or_else(|| Problem::new(problem::NOT_FOUND))? {
        Target::Collection => match *method {
            Method::GET | Method::HEAD => handlers::list(&caller, uri.query()).await,
            Method::POST => handlers::create(&caller, body).await,
            Method::OPTIONS => Ok(reply::options(COLLECTION_METHODS)),
            _ => Err(Problem::method_not_allowed(COLLECTION_METHODS)),
        },
        Target::Patient(id) => match *method {
            Method::GET | Method::HEAD => handlers::read(&caller, &patient_id(id)?).await,
            Method::PUT => handlers::replace(&caller, &patient_id(id)?, body).await,
            Method::DELETE => handlers::delete(&caller, &patient_id(id)?).await,
            Method::OPTIONS => Ok(reply::options(PATIENT_METHODS)),
            _ => Err(Problem::method_not_allowed(PATIENT_METHODS)),
        },
    }
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Collection,
    /// The segment where an id belongs, whatever it holds.
    Patient(&'a str),
}

/// `None` for what does not exist: anything deeper than a patient. A slash at the end is ignored.
fn target(path: &str) -> Option<Target<'_>> {
    let rest = path.strip_prefix(COLLECTION)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    match rest.strip_prefix('/') {
        None => rest.is_empty().then_some(Target::Collection),
        Some(segment) => (!segment.contains('/')).then_some(Target::Patient(segment)),
    }
}

fn patient_id(segment: &str) -> Result<String, Problem> {
    let malformed = || {
        Problem::new(problem::BAD_REQUEST)
            .detail("A patient's id is a UUID, such as 123e4567-e89b-12d3-a456-426614174000.")
    };
    uuid::parse(segment).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::ALLOW;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn targets() {
        let check = |path: &str, expected: Option<Target<'_>>| assert_eq!(target(path), expected);
        check("/api/patients", Some(Target::Collection));
        check("/api/patients/", Some(Target::Collection));
        check("/api/patients/x", Some(Target::Patient("x")));
        check("/api/patients/x/", Some(Target::Patient("x")));
        check("/api/patients/x/y", None);
        check("/api/patients//", Some(Target::Patient("")));
        check("/api/patientsx", None);
        check("/api", None);
    }

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
    fn what_is_answered_without_the_database() {
        let id = "/api/patients/123e4567-e89b-12d3-a456-426614174000";
        check("GET", "/api/patients", false, (401, None));
        check("DELETE", id, false, (401, None));
        check("OPTIONS", id, false, (401, None));
        check("GET", "/api/patients/x/y", false, (401, None));
        check("GET", "/api/patients/x/y", true, (404, None));
        check("GET", "/api/patients/x", true, (400, None));
        check("PUT", "/api/patients/%00", true, (400, None));
        check("DELETE", "/api/patients/1", true, (400, None));
        check("OPTIONS", "/api/patients", true, (204, Some(COLLECTION_METHODS)));
        check("OPTIONS", id, true, (204, Some(PATIENT_METHODS)));
        check("DELETE", "/api/patients", true, (405, Some(COLLECTION_METHODS)));
        check("PATCH", "/api/patients", true, (405, Some(COLLECTION_METHODS)));
        check("POST", id, true, (405, Some(PATIENT_METHODS)));
        check("PURGE", "/api/patients/x", true, (405, Some(PATIENT_METHODS)));
        check("GET", "/api/patients?colour=red", true, (400, None));
        check("POST", "/api/patients", true, (415, None));
        check("PUT", id, true, (415, None));
    }
}
