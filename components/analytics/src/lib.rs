//! The analytics service: what the topic `patient` tells, stored and counted, and shown under
//! `/api/analytics`. It owns the database `analytics` and knows no other service's tables.
//!
//! Start here: events come in through [`consume`], one batch and one statement at a time; questions
//! come in through [`serve`], which finds out who is asking and what for, and hands over to one
//! module of [`answers`] each. Both meet in the database alone (`migrations/` has the tables and
//! the function that projects events into them), so an instance keeps nothing that matters.
//!
//! Authentication is the guard's, in front of this component. Names and e-mail addresses stay in
//! the event store: no answer, no log line and no reason of a rejection has them.

mod answers;
mod caller;
mod consume;
mod contract;
mod instant;
mod intake;
mod limits;

use http::header::ALLOW;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use kit::database::Database;
use kit::identity::Identity;
use kit::{Problem, Reply, problem, reply};
use spin_sdk::http::{BoxBody, Request, box_body};
use spin_sdk::http_service;

use caller::Caller;

/// The component's variable with the address of its database. Named after the service, because a
/// component that it were composed into would have to have it.
const DATABASE: &str = "analytics_db_url";

/// Where everything is: one resource is one segment below.
const ROOT: &str = "/api/analytics";

const READ: &str = "GET, HEAD, OPTIONS";
const STREAM: &str = "GET, OPTIONS";
const ACT: &str = "POST, OPTIONS";

/// Answers one request.
#[http_service]
async fn serve(request: Request) -> http::Response<BoxBody> {
    let (parts, _body) = request.into_parts();
    let answer = route(&parts.method, &parts.uri, &parts.headers).await;
    let answer = answer.unwrap_or_else(|problem| Answer::Whole(problem.into_reply(&parts.headers)));
    match answer {
        Answer::Whole(whole) if parts.method == Method::HEAD => {
            reply::without_body(whole).map(box_body)
        }
        Answer::Whole(whole) => whole.map(box_body),
        Answer::Stream(stream) => stream,
    }
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

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Summary,
    Activity,
    Timeline,
    Events,
    Lag,
    Stream,
    Rebuild,
}

impl Target {
    fn find(path: &str) -> Option<Self> {
        let name = path.strip_prefix(ROOT)?.strip_prefix('/')?;
        Some(match name.strip_suffix('/').unwrap_or(name) {
            "summary" => Self::Summary,
            "activity" => Self::Activity,
            "timeline" => Self::Timeline,
            "events" => Self::Events,
            "lag" => Self::Lag,
            "stream" => Self::Stream,
            "rebuild" => Self::Rebuild,
            _ => return None,
        })
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Stream => STREAM,
            Self::Rebuild => ACT,
            _ => READ,
        }
    }

    fn takes(self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// The caller before the path: somebody unknown does not even learn what exists.
async fn route(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Answer, Problem> {
    let caller = Caller { identity: Identity::from_headers(headers)?, headers };
    let target = Target::find(uri.path()).ok_or_else(|| Problem::new(problem::NOT_FOUND))?;
    if !target.takes(method) {
        return Err(Problem::method_not_allowed(target.allow()));
    }
    if *method == Method::OPTIONS {
        return Ok(options(target.allow()).into());
    }
    let query = uri.query().unwrap_or("");
    Ok(match target {
        Target::Summary => answers::summary::answer(&caller, query).await?.into(),
        Target::Activity => answers::activity::answer(&caller, query).await?.into(),
        Target::Timeline => answers::timeline::answer(&caller, query).await?.into(),
        Target::Events => answers::events::answer(&caller, query).await?.into(),
        Target::Lag => answers::lag::answer(&caller, query).await?.into(),
        Target::Rebuild => answers::rebuild::answer(&caller, query).await?.into(),
        Target::Stream => Answer::Stream(answers::stream::answer(&caller, query).await?),
    })
}

fn options(allow: &'static str) -> Reply {
    let mut answer = reply::empty(StatusCode::NO_CONTENT);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    answer
}

/// A connection to the service's database.
async fn database() -> Result<Database, kit::database::Fault> {
    Database::open(DATABASE).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn targets() {
        let check = |path: &str, expected: Option<Target>| assert_eq!(Target::find(path), expected);
        check("/api/analytics/summary", Some(Target::Summary));
        check("/api/analytics/summary/", Some(Target::Summary));
        check("/api/analytics/rebuild", Some(Target::Rebuild));
        check("/api/analytics/summary//", None);
        check("/api/analytics/summary/x", None);
        check("/api/analytics/Summary", None);
        check("/api/analytics/", None);
        check("/api/analytics", None);
        check("/api/analyticssummary", None);
    }

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
        let routing = std::pin::pin!(route(&method, &uri, &headers));
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
        check("GET", "/api/analytics", known, (404, None));
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
}
