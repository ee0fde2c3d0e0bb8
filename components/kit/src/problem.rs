//! Problem documents (RFC 9457): the one shape in which a component refuses or fails.
//!
//! A problem holds only text meant for the caller. It must never be given a value from a row, from
//! a body or from a database error; what a log needs goes through [`crate::log`].

use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::reply::{self, Reply};
use crate::uuid;

/// A kind of problem: what `type`, `title` and `status` say. Components may define their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The end of the type: `urn:ward:problem:<slug>`.
    pub slug: &'static str,
    /// The same words for every occurrence of the kind.
    pub title: &'static str,
    /// The status code of the answer.
    pub status: StatusCode,
}

impl Kind {
    /// A kind of its own; `slug` is lower-case words joined by hyphens.
    pub const fn new(slug: &'static str, title: &'static str, status: StatusCode) -> Self {
        Self { slug, title, status }
    }
}

/// The document parsed, but its fields are not acceptable; `errors` names each of them.
pub const VALIDATION: Kind =
    Kind::new("validation-failed", "The document is not valid", StatusCode::BAD_REQUEST);
/// The body is not JSON.
pub const MALFORMED_JSON: Kind =
    Kind::new("malformed-json", "The body is not JSON", StatusCode::BAD_REQUEST);
/// Something other than the body is wrong: an id, a query parameter, a header.
pub const BAD_REQUEST: Kind =
    Kind::new("bad-request", "The request is not valid", StatusCode::BAD_REQUEST);
/// The caller is not known.
pub const UNAUTHORIZED: Kind =
    Kind::new("unauthorized", "Authentication is required", StatusCode::UNAUTHORIZED);
/// The caller is known and may not do this.
pub const FORBIDDEN: Kind = Kind::new("forbidden", "You may not do this", StatusCode::FORBIDDEN);
/// There is nothing here.
pub const NOT_FOUND: Kind = Kind::new("not-found", "There is nothing here", StatusCode::NOT_FOUND);
/// The resource exists and does not answer this method.
pub const METHOD_NOT_ALLOWED: Kind = Kind::new(
    "method-not-allowed",
    "The method is not allowed here",
    StatusCode::METHOD_NOT_ALLOWED,
);
/// The request contradicts the present state.
pub const CONFLICT: Kind =
    Kind::new("conflict", "The request conflicts with what is stored", StatusCode::CONFLICT);
/// `If-Match` or `If-None-Match` does not hold for the present version.
pub const STALE: Kind = Kind::new(
    "precondition-failed",
    "The condition does not hold",
    StatusCode::PRECONDITION_FAILED,
);
/// The change does not say which version it is of (RFC 6585).
pub const UNCONDITIONAL: Kind = Kind::new(
    "precondition-required",
    "The change has to say which version it is of",
    StatusCode::PRECONDITION_REQUIRED,
);
/// The body is larger than the limit.
pub const TOO_LARGE: Kind =
    Kind::new("body-too-large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE);
/// The body is of a type this resource does not read.
pub const UNSUPPORTED_TYPE: Kind = Kind::new(
    "unsupported-media-type",
    "The body's type is not supported",
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
);
/// Our fault; the log knows more.
pub const INTERNAL: Kind =
    Kind::new("internal", "Something went wrong here", StatusCode::INTERNAL_SERVER_ERROR);
/// Something we need does not answer; the same request may succeed in a moment.
pub const UNAVAILABLE: Kind =
    Kind::new("unavailable", "Try again in a moment", StatusCode::SERVICE_UNAVAILABLE);

/// One thing that is wrong in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where: a JSON pointer into the body, or a parameter of the query.
    #[serde(flatten)]
    pub place: FieldPosition,
    /// What is expected there; never what was found.
    pub detail: String,
}

impl FieldError {
    /// What is wrong at this JSON pointer.
    pub fn at(pointer: &str, detail: &str) -> Self {
        Self { place: FieldPosition::Pointer(pointer.to_owned()), detail: detail.to_owned() }
    }

    /// What is wrong with this parameter of the query.
    pub fn of_parameter(name: &str, detail: &str) -> Self {
        Self { place: FieldPosition::Parameter(name.to_owned()), detail: detail.to_owned() }
    }
}

/// Where a [`FieldError`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldPosition {
    /// A JSON pointer (RFC 6901) into the body.
    Pointer(String),
    /// The name of a query parameter.
    Parameter(String),
}

/// A refusal or a failure on its way to the caller.
///
/// Boxed, because it travels in the `Err` of nearly every function and is rarely there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: Kind,
    detail: Option<String>,
    errors: Vec<FieldError>,
    headers: HeaderMap,
}

/// The document as it is sent.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem of this kind with nothing more to say.
    pub fn new(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, detail: None, errors: Vec::new(), headers: HeaderMap::new() }))
    }

    /// Adds a sentence about this occurrence, for the caller.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds what is wrong field by field.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// 401 with the challenge a bearer-token client understands (RFC 6750).
    pub fn unauthorized() -> Self {
        Self::new(UNAUTHORIZED).header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 405 naming what is allowed, e.g. `"GET, HEAD, OPTIONS"`.
    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        let mut problem = Self::new(METHOD_NOT_ALLOWED);
        problem.0.headers.extend(HeaderValue::from_str(allow).ok().map(|allow| (ALLOW, allow)));
        problem
    }

    /// 503 asking the caller to wait for `seconds`.
    pub fn unavailable(seconds: u16) -> Self {
        Self::new(UNAVAILABLE).header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The kind, by which callers inside a component tell problems apart.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The answer. `request` is the request's headers: their `x-request-id` becomes `instance`
    /// when it is a UUID (anything else would not make a `urn:uuid`).
    pub fn into_reply(self, request: &HeaderMap) -> Reply {
        let Inner { kind, detail, errors, headers } = *self.0;
        let document = Document {
            r#type: format!("urn:ward:problem:{}", kind.slug),
            title: kind.title,
            status: kind.status.as_u16(),
            detail: detail.as_deref(),
            instance: instance(request),
            errors: &errors,
        };
        let mut answer = reply::encoded(kind.status, "application/problem+json", &document);
        answer.headers_mut().extend(headers);
        answer
    }
}

fn instance(request: &HeaderMap) -> Option<String> {
    let id = request.get("x-request-id")?.to_str().ok()?;
    uuid::parse(id).map(|id| format!("urn:uuid:{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(problem: Problem, request_id: Option<&str>, expected: serde_json::Value) {
        let mut request = HeaderMap::new();
        if let Some(id) = request_id {
            request.insert("x-request-id", id.parse().unwrap());
        }
        let status = problem.kind().status;
        let answer = problem.into_reply(&request);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body: serde_json::Value = serde_json::from_slice(&reply::bytes(answer)).unwrap();
        assert_eq!(body, expected);
    }

    #[test]
    fn documents() {
        check(
            Problem::new(NOT_FOUND),
            None,
            serde_json::json!({
                "type": "urn:ward:problem:not-found",
                "title": "There is nothing here",
                "status": 404,
            }),
        );
        check(
            Problem::new(VALIDATION).detail("One field.").errors(vec![
                FieldError {
                    place: FieldPosition::Pointer("/name".into()),
                    detail: "is required".into(),
                },
                FieldError {
                    place: FieldPosition::Parameter("limit".into()),
                    detail: "too big".into(),
                },
            ]),
            Some("123E4567-e89b-12d3-a456-426614174000"),
            serde_json::json!({
                "type": "urn:ward:problem:validation-failed",
                "title": "The document is not valid",
                "status": 400,
                "detail": "One field.",
                "instance": "urn:uuid:123e4567-e89b-12d3-a456-426614174000",
                "errors": [
                    {"pointer": "/name", "detail": "is required"},
                    {"parameter": "limit", "detail": "too big"},
                ],
            }),
        );
    }

    #[test]
    fn an_instance_is_only_ever_a_uuid() {
        let expected = serde_json::json!({
            "type": "urn:ward:problem:internal",
            "title": "Something went wrong here",
            "status": 500,
        });
        check(Problem::new(INTERNAL), Some("abc"), expected);
    }

    #[test]
    fn headers_travel_with_the_problem() {
        let answer = Problem::method_not_allowed("GET, HEAD").into_reply(&HeaderMap::new());
        assert_eq!(answer.headers()["allow"], "GET, HEAD");
        let answer = Problem::unavailable(2).into_reply(&HeaderMap::new());
        assert_eq!(answer.headers()["retry-after"], "2");
        let answer = Problem::unauthorized().into_reply(&HeaderMap::new());
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    }
}
