//! The patients service: `/api/patients`, kept in the database `patients`.
//!
//! Start here: the table of operations in this file says what there is and hands over to one
//! function of [`handlers`] for each. Below them, [`validate`] and [`query`] read what a client
//! sends, and [`store`] holds one statement for each operation, which reads or changes patients and
//! writes the audit row (and the event, for a change) at once: there is no transaction to forget.
//!
//! Whoever is created gets an account from billing, which is called over its contract
//! ([`billing`]); what billing did not hear it learns from the events.
//!
//! Who may do what is the guard's to enforce, in front of this component, by `components/policy`; a
//! request without its identity headers is refused. Nothing is kept between requests, and no
//! patient data is logged.

#[cfg(test)]
mod api_tests;
mod billing;
mod bindings;
mod erasure;
mod handlers;
mod model;
mod query;
mod sight;
mod store;
mod validate;

use http::StatusCode;
use kit::Reply;
use kit::route::{self, Answers, Takes};
use spin_sdk::http::Request;
use spin_sdk::http_service;

/// Where the collection is. A patient is one segment below.
const COLLECTION: &str = "/api/patients";
/// Where patients are looked for.
const SEARCH: &str = "/api/patients/search";

kit::operations! {
    /// What the service does.
    Handler -> Reply, ruled by policy::http::PATIENTS, refusals in handlers::DATABASE;
    List = Get "/api/patients" as "patients.list",
        answers &[Answers::json(StatusCode::OK, "Patients")] => handlers::list;
    Create = Post "/api/patients" as "patients.create", takes Takes::json("NewPatient"),
        answers &[Answers::json(StatusCode::CREATED, "CreatedPatient")] => handlers::create;
    Search = Post "/api/patients/search" as "patients.search", takes Takes::json("Search"),
        answers &[Answers::json(StatusCode::OK, "Patients")] => handlers::search;
    Read = Get "/api/patients/{id}" as "patients.read",
        answers &[Answers::json(StatusCode::OK, "Patient")] => handlers::read;
    Replace = Put "/api/patients/{id}" as "patients.replace",
        takes Takes::json("Replacement"),
        answers &[Answers::json(StatusCode::OK, "Patient")] => handlers::replace;
    Delete = Delete "/api/patients/{id}" as "patients.delete",
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => handlers::delete;
    Erase = Post "/api/patients/{id}/erasure" as "patients.erase", takes Takes::json("Erasure"),
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => handlers::erase;
    Restrict = Put "/api/patients/{id}/restriction" as "patients.restrict",
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => handlers::restrict;
    Release = Delete "/api/patients/{id}/restriction" as "patients.release",
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => handlers::release;
    Audit = Get "/api/audit/patients" as "patients.audit",
        answers &[Answers::json(StatusCode::OK, "AuditEntries")] => handlers::audit;
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

    const COLLECTION_METHODS: &str = "GET, HEAD, POST, OPTIONS";
    const PATIENT_METHODS: &str = "GET, HEAD, PUT, DELETE, OPTIONS";

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
        let routing = std::pin::pin!(Handler::answer(&method, &uri, &headers, String::new()));
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
        check("DELETE", id, true, (428, None));
        check("DELETE", "/api/patients/1", true, (400, None));
        check("OPTIONS", "/api/patients", true, (204, Some(COLLECTION_METHODS)));
        check("OPTIONS", id, true, (204, Some(PATIENT_METHODS)));
        check("DELETE", "/api/patients", true, (405, Some(COLLECTION_METHODS)));
        check("PATCH", "/api/patients", true, (405, Some(COLLECTION_METHODS)));
        check("POST", id, true, (405, Some(PATIENT_METHODS)));
        check("PURGE", "/api/patients/x", true, (405, Some(PATIENT_METHODS)));
        check("GET", "/api/patients?colour=red", true, (400, None));
        check("POST", "/api/patients", true, (415, None));
        check("POST", "/api/patients/search", true, (415, None));
        check("GET", "/api/patients/search", true, (405, Some("POST, OPTIONS")));
        check("PUT", id, true, (428, None));
        let erasure = format!("{id}/erasure");
        check("POST", &erasure, true, (428, None));
        check("GET", &erasure, true, (405, Some("POST, OPTIONS")));
        check("POST", "/api/patients/1/erasure", true, (400, None));
    }

    #[test]
    fn every_operation_is_closed_to_strangers() {
        for operation in Handler::TABLE.operations() {
            let path = operation.pattern.replace("{id}", "x");
            check(operation.verb.as_str(), &path, false, (401, None));
            let prefix = operation.name.split_once('.').map(|(service, _)| service);
            assert_eq!(prefix, Some("patients"), "{}", operation.name);
        }
    }
}
