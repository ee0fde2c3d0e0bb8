//! The analytics service: what the topic `patient` tells, stored and counted, and shown under
//! `/api/analytics`. It owns the database `analytics` and knows no other service's tables.
//!
//! Start here: events come in through [`consume`], one batch and one statement at a time; questions
//! come in through the table of operations in this file, which hands over to one module of
//! [`answers`] each. Both meet in the database alone (`migrations/` has the tables and
//! the function that projects events into them), so an instance keeps nothing that matters.
//!
//! Who may is the guard's to enforce, in front of this component. Names and e-mail addresses stay
//! in the event store: no answer, no log line and no reason of a rejection has them.

mod answers;
#[cfg(test)]
mod api_tests;
mod consume;
mod contract;
mod intake;
mod limits;

use http::StatusCode;
use kit::database::{Database, Fault};
use kit::route::{self, Answers, Call};
use kit::trail::{self, Trail};
use kit::{Problem, Reply};
use policy::scopes::PATIENT_RESTRICT;
use spin_sdk::http::{BoxBody, Request, box_body};
use spin_sdk::http_service;
use spin_sdk::pg::ParameterValue;

/// The component's variable with the address of its database. Named after the service, because a
/// component that it were composed into would have to have it.
const DATABASE: &str = "analytics_db_url";

kit::operations! {
    /// What the service does over HTTP.
    Handler -> Answer, ruled by policy::http::ANALYTICS, refusals in DATABASE;
    Summary = Get "/api/analytics/summary" as "analytics.summary",
        answers &[Answers::json(StatusCode::OK, "Summary")] => answers::summary::answer;
    Activity = Get "/api/analytics/activity" as "analytics.activity",
        answers &[Answers::json(StatusCode::OK, "Activity")] => answers::activity::answer;
    Timeline = Get "/api/analytics/timeline" as "analytics.timeline",
        answers &[Answers::json(StatusCode::OK, "Timeline")] => answers::timeline::answer;
    Events = Get "/api/analytics/events" as "analytics.events",
        answers &[Answers::json(StatusCode::OK, "Events")] => answers::events::answer;
    Lag = Get "/api/analytics/lag" as "analytics.lag",
        answers &[Answers::json(StatusCode::OK, "Lag")] => answers::lag::answer;
    Stream = Watch "/api/analytics/stream" as "analytics.stream",
        answers &[Answers::events("Event")] => answers::stream::answer;
    Rebuild = Post "/api/analytics/rebuild" as "analytics.rebuild",
        answers &[Answers::json(StatusCode::OK, "Progress"),
            Answers::json(StatusCode::ACCEPTED, "Progress")] => answers::rebuild::answer;
    Audit = Get "/api/audit/analytics" as "analytics.audit",
        answers &[Answers::json(StatusCode::OK, "AuditEntries")] => audit;
}

/// What there is to be asked of the audit log.
const TRAIL: Trail =
    Trail { path: "/api/audit/analytics", database: DATABASE, patients: true, break_glass: false };

/// `GET /api/audit/analytics`
async fn audit(call: &Call<'_>) -> Result<Reply, Problem> {
    trail::answer(call, &TRAIL).await
}

/// Answers one request.
#[http_service]
async fn serve(request: Request) -> http::Response<BoxBody> {
    let (parts, body) = request.into_parts();
    match Handler::answer(&parts.method, &parts.uri, &parts.headers, body).await {
        Ok(Answer::Stream(stream)) => stream,
        Ok(Answer::Whole(whole)) => sent(Ok(whole), &parts),
        Err(problem) => sent(Err(problem), &parts),
    }
}

fn sent(answer: Result<Reply, Problem>, parts: &http::request::Parts) -> http::Response<BoxBody> {
    route::sent(answer, &parts.method, &parts.headers).map(box_body)
}

/// An answer: at hand, or coming for as long as the client listens.
enum Answer {
    Whole(Reply),
    Stream(http::Response<BoxBody>),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Whole(reply)
    }
}

impl From<http::Response<BoxBody>> for Answer {
    fn from(stream: http::Response<BoxBody>) -> Self {
        Self::Stream(stream)
    }
}

/// Logs a fault and makes it an answer.
fn failed(call: &Call<'_>) -> impl Fn(Fault) -> Problem {
    |fault| {
        call.log_failure(fault.cause());
        Problem::from(&fault)
    }
}

/// Whether the caller sees what is known of restricted patients, as the value of `$n::boolean`.
fn sees_restricted(call: &Call<'_>) -> ParameterValue {
    ParameterValue::Boolean(call.caller.has(PATIENT_RESTRICT))
}

/// A connection to the service's database.
async fn database() -> Result<Database, Fault> {
    Database::open(DATABASE).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::ALLOW;
    use http::{HeaderMap, HeaderValue};
    use std::task::{Context, Poll, Waker};

    const READ: &str = "GET, HEAD, OPTIONS";
    const STREAM: &str = "GET, OPTIONS";
    const ACT: &str = "POST, OPTIONS";

    /// Sends a request that must be answered without the database: status and `Allow`.
    fn check(method: &str, path: &str, role: Option<&str>, expected: (u16, Option<&str>)) {
        let mut headers = HeaderMap::new();
        if let Some(role) = role {
            let id = HeaderValue::from_static("123e4567-e89b-12d3-a456-426614174000");
            headers.insert("ward-user-id", id);
            headers.insert("ward-user-role", role.parse().unwrap());
            headers.insert("ward-token-id", HeaderValue::from_static("t"));
        }
        let (method, uri) = (method.parse().unwrap(), path.parse().unwrap());
        let routing = std::pin::pin!(Handler::answer(&method, &uri, &headers, String::new()));
        let Poll::Ready(answer) = routing.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("{method} {path} went to the database");
        };
        let answer = match answer {
            Ok(Answer::Whole(whole)) => whole,
            Ok(Answer::Stream(_)) => panic!("{method} {path} streams"),
            Err(problem) => problem.into_reply(&headers),
        };
        let allow = answer.headers().get(ALLOW).map(|value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), allow), expected, "{method} {path}");
    }

    #[test]
    fn what_is_answered_without_the_database() {
        let (known, nobody) = (Some("ADMIN"), None);
        check("GET", "/api/analytics/summary", nobody, (401, None));
        check("POST", "/api/analytics/rebuild", nobody, (401, None));
        check("GET", "/api/analytics/nothing", nobody, (401, None));
        check("GET", "/api/analytics/nothing", known, (404, None));
        for path in ["", "/", "/summary//", "/summary/x", "/Summary", "summary"] {
            check("GET", &format!("/api/analytics{path}"), known, (404, None));
        }
        check("OPTIONS", "/api/analytics/summary/", known, (204, Some(READ)));
        check("OPTIONS", "/api/analytics/lag", known, (204, Some(READ)));
        check("OPTIONS", "/api/analytics/stream", known, (204, Some(STREAM)));
        check("OPTIONS", "/api/analytics/rebuild", known, (204, Some(ACT)));
        check("POST", "/api/analytics/summary", known, (405, Some(READ)));
        check("DELETE", "/api/analytics/events", known, (405, Some(READ)));
        check("HEAD", "/api/analytics/stream", known, (405, Some(STREAM)));
        check("GET", "/api/analytics/rebuild", known, (405, Some(ACT)));
        check("GET", "/api/analytics/summary?x=1", known, (400, None));
        check("GET", "/api/analytics/lag?x=1", known, (400, None));
        check("GET", "/api/analytics/stream?x=1", known, (400, None));
        check("POST", "/api/analytics/rebuild?x=1", known, (400, None));
        check("GET", "/api/analytics/activity?patient=x", known, (400, None));
        check("GET", "/api/analytics/timeline", known, (400, None));
        check("GET", "/api/analytics/events?limit=501", known, (400, None));
    }

    #[test]
    fn every_operation_is_closed_to_strangers() {
        for operation in Handler::TABLE.operations() {
            check(operation.verb.as_str(), operation.pattern, None, (401, None));
            let prefix = operation.name.split_once('.').map(|(service, _)| service);
            assert_eq!(prefix, Some("analytics"), "{}", operation.name);
        }
    }
}
