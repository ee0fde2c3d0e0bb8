//! The door for people and their programs: `/api/billing`, in JSON.
//!
//! Start at the table of operations. Who may is the guard's to enforce, in front of this component,
//! by `components/policy`; a request without its identity headers is refused.

mod answers;
#[cfg(test)]
mod api_tests;
mod bodies;
mod handlers;

use ::http::StatusCode;
use kit::Reply;
use kit::route::{self, Answers, Takes};
use spin_sdk::http::Request;
use spin_sdk::http_service;

/// Where the collection of accounts is. An account is one segment below.
const ACCOUNTS: &str = "/api/billing/accounts";

/// What the operations answer that may find their work done before.
const ENTRY_KEPT: &[Answers] =
    &[Answers::json(StatusCode::CREATED, "Entry"), Answers::json(StatusCode::OK, "Entry")];

kit::operations! {
    /// What the service does over HTTP.
    Handler -> Reply, ruled by policy::http::BILLING, refusals in crate::service::DATABASE;
    List = Get "/api/billing/accounts" as "billing.list",
        answers &[Answers::json(StatusCode::OK, "Accounts")] => handlers::list;
    Open = Post "/api/billing/accounts" as "billing.open", takes Takes::json("Opening"),
        answers &[Answers::json(StatusCode::OK, "Account")] => handlers::open;
    Account = Get "/api/billing/accounts/{id}" as "billing.account",
        answers &[Answers::json(StatusCode::OK, "Account")] => handlers::account;
    PatientAccount = Get "/api/billing/patients/{id}/account" as "billing.patient-account",
        answers &[Answers::json(StatusCode::OK, "Account")] => handlers::patient_account;
    Statement = Get "/api/billing/accounts/{id}/statement" as "billing.statement",
        answers &[Answers::json(StatusCode::OK, "Statement")] => handlers::statement;
    Charge = Post "/api/billing/accounts/{id}/charges" as "billing.charge",
        takes Takes::json("Posting"), answers ENTRY_KEPT => handlers::charge;
    Pay = Post "/api/billing/accounts/{id}/payments" as "billing.pay",
        takes Takes::json("Posting"), answers ENTRY_KEPT => handlers::pay;
    Refund = Post "/api/billing/accounts/{id}/refunds" as "billing.refund",
        takes Takes::json("Posting"), answers ENTRY_KEPT => handlers::refund;
    Void = Post "/api/billing/accounts/{id}/voids" as "billing.void",
        takes Takes::json("Voiding"), answers ENTRY_KEPT => handlers::void;
    Audit = Get "/api/audit/billing" as "billing.audit",
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
    use ::http::header::ALLOW;
    use ::http::{HeaderMap, HeaderValue};
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
        let routing = std::pin::pin!(Handler::answer(&method, &uri, &headers, String::new()));
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
        for path in ["", "/accountsx", "/accounts/x/y", "/patients", "/patients/x"] {
            check("GET", &format!("/api/billing{path}"), true, (404, None));
        }
        check("GET", "/api/billing/accounts//", true, (400, None));
        check("GET", &below("nothing"), true, (404, None));
        check("GET", "/api/billing/accounts/x", true, (400, None));
        check("GET", "/api/billing/patients/x/account", true, (400, None));
        check("POST", "/api/billing/accounts/x/charges", true, (400, None));
        check("GET", "/api/billing/accounts?limit=0", true, (400, None));
        check("GET", "/api/billing/accounts?colour=red", true, (400, None));
        check("POST", "/api/billing/accounts", true, (415, None));
        check("POST", &below("charges"), true, (415, None));
        check("POST", &below("payments"), true, (415, None));
        check("POST", &below("refunds"), true, (415, None));
        check("POST", &below("voids"), true, (415, None));
        check("OPTIONS", "/api/billing/accounts", true, (204, Some(collection)));
        check("DELETE", "/api/billing/accounts", true, (405, Some(collection)));
        for path in [ACCOUNT, &below("statement")] {
            check("OPTIONS", path, true, (204, Some(read)));
            check("POST", path, true, (405, Some(read)));
            check("DELETE", path, true, (405, Some(read)));
        }
        for path in ["charges", "payments", "refunds", "voids"] {
            check("OPTIONS", &below(path), true, (204, Some(book)));
            check("GET", &below(path), true, (405, Some(book)));
            check("PUT", &below(path), true, (405, Some(book)));
        }
    }

    #[test]
    fn every_operation_is_closed_to_strangers() {
        for operation in Handler::TABLE.operations() {
            let path = operation.pattern.replace("{id}", "x");
            check(operation.verb.as_str(), &path, false, (401, None));
            let prefix = operation.name.split_once('.').map(|(service, _)| service);
            assert_eq!(prefix, Some("billing"), "{}", operation.name);
        }
    }
}
