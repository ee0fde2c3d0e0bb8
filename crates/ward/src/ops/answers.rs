//! What operators are answered: texts, JSON, numbers, and problem documents (RFC 9457) whose
//! details are sentences of Ward's own.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde::Serialize;
use serde_json::{Value, json};

use super::ready::Check;
use crate::limits::ARTIFACT_BYTES_MAX;
use crate::releases::Refused;

/// Why something is not done.
#[derive(Debug)]
pub(crate) enum Problem {
    NotFound,
    /// These are answered.
    Method(&'static str),
    /// Without the token, or with another.
    Token,
    /// By a name that is none of this machine's.
    Misdirected,
    TooLarge,
    BrokeOff,
    Overloaded,
    Refused(Refused),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Problem {
    fn facts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "not-found", "There is nothing here.".to_owned())
            }
            Self::Method(allowed) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                format!("Answered here: {allowed}."),
            ),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "The operators' token is needed, as a bearer token: WARD_OPS_TOKEN, or what is in \
                 ops-token of the state directory."
                    .to_owned(),
            ),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected-request",
                "On an address of this machine only localhost and 127.0.0.1 are answered to."
                    .to_owned(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "content-too-large",
                format!("A component has at most {} MiB.", ARTIFACT_BYTES_MAX >> 20),
            ),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "There is no room for one more at the moment.".to_owned(),
            ),
            Self::BrokeOff => (
                StatusCode::BAD_REQUEST,
                "bad-request",
                "The component did not come whole; nothing was replaced.".to_owned(),
            ),
            Self::Refused(Refused::Unknown(text)) => {
                (StatusCode::NOT_FOUND, "no-such-component", text.clone())
            }
            Self::Refused(Refused::Malformed(text)) => {
                (StatusCode::BAD_REQUEST, "bad-request", text.clone())
            }
            Self::Refused(Refused::Busy(text)) => (StatusCode::CONFLICT, "on-trial", text.clone()),
            Self::Refused(Refused::Unfit(text)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "component-refused", text.clone())
            }
        }
    }

    /// As it is sent.
    pub(crate) fn response(&self) -> Response<Bytes> {
        let (status, slug, detail) = self.facts();
        let mut response = json(&json!({
            "type": format!("urn:ward:problem:{slug}"),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": detail,
        }));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Method(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Token => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// What there is.
pub(crate) fn links() -> Value {
    json!({
        "livez": "/livez",
        "readyz": "/readyz?verbose",
        "metrics": "/metrics",
        "app": "/app",
        "revisions": "/revisions",
    })
}

/// A value.
pub(crate) fn json(value: &impl Serialize) -> Response<Bytes> {
    // Maps with texts as keys and numbers that are finite.
    let text = serde_json::to_string(value);
    debug_assert!(text.is_ok(), "{text:?}");
    of("application/json", text.unwrap_or_default() + "\n")
}

/// A text.
pub(crate) fn text(text: String) -> Response<Bytes> {
    of("text/plain; charset=utf-8", text)
}

/// Whether all is well, in one word or a line for each check.
pub(crate) fn ready(checks: &[Check], is_verbose: bool) -> Response<Bytes> {
    let is_ready = checks.iter().all(Check::is_met);
    let mut said = String::new();
    if is_verbose || !is_ready {
        for check in checks {
            said.push_str(&check.line());
        }
    }
    said.push_str(if is_ready { "ok\n" } else { "not ready\n" });
    let mut response = text(said);
    if !is_ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// The numbers.
pub(crate) fn numbers(registry: &Registry) -> Response<Bytes> {
    let mut text = String::new();
    // Writing to a text does not fail, and no label here refuses to be one.
    let written = encode(&mut text, registry);
    debug_assert!(written.is_ok(), "{written:?}");
    of("application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}

fn of(kind: &'static str, text: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    let fields: [(HeaderName, &'static str); 3] =
        [(CONTENT_TYPE, kind), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (CACHE_CONTROL, "no-store")];
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_documents_that_say_what_the_status_line_says() {
        let refused = Refused::Unknown("there is no component `x`".to_owned());
        for problem in [Problem::NotFound, Problem::Method("PUT"), Problem::Token, refused.into()] {
            let response = problem.response();
            let document: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(document["status"], response.status().as_u16());
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let is_token = matches!(problem, Problem::Token);
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), is_token);
        }
        assert_eq!(Problem::Method("PUT").response().headers()[ALLOW], "PUT");
    }

    #[test]
    fn ready_is_one_word_and_what_is_not_is_named() {
        let well = Check::new("database patients", Ok(()));
        let away = Check::new("database auth", Err("no answer".to_owned()));
        let body = |checks: &[Check], is_verbose| {
            let response = ready(checks, is_verbose);
            (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
        };
        assert_eq!(body(std::slice::from_ref(&well), false), (200, "ok\n".to_owned()));
        let said = (200, "[+] database patients\nok\n".to_owned());
        assert_eq!(body(std::slice::from_ref(&well), true), said);
        let said = "[+] database patients\n[-] database auth: no answer\nnot ready\n";
        assert_eq!(body(&[well, away], false), (503, said.to_owned()));
    }
}
