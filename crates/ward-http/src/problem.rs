//! The answers the host gives itself, as problem documents (RFC 9457). Their texts are fixed: what
//! went wrong inside goes to the log, under the id that the document's `instance` names.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode, Version};
use ward_runtime::RequestId;
use ward_serve::RETRY_AFTER_SECONDS;

/// Everything the host answers in place of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The head is HTTP but not a request that can be served; the text says why.
    BadRequest(&'static str),
    /// No route matches.
    NotFound,
    /// A method the host does not offer where it answers itself.
    MethodNotAllowed,
    /// A page asks whether it may call, and may not.
    OriginNotAllowed,
    /// The client means another server.
    Misdirected,
    /// The client sent its body too slowly.
    RequestTimeout,
    /// The body is longer than allowed.
    ContentTooLarge,
    /// The head is longer than allowed.
    HeadTooLarge,
    /// The component failed.
    ComponentFailed,
    /// CONNECT.
    NotImplemented,
    /// Too many requests at once.
    Overloaded,
    /// Too many connections at once.
    NoRoom,
    /// The server is being stopped.
    Draining,
    /// The component took too long.
    DeadlineExceeded,
}

impl Problem {
    /// The status, the last part of the type's URN, and the detail.
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest(detail) => (StatusCode::BAD_REQUEST, "bad-request", detail),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "No route has this path."),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Only GET and HEAD are answered here.",
            ),
            Self::OriginNotAllowed => (
                StatusCode::FORBIDDEN,
                "origin-not-allowed",
                "Pages of this origin may not call here: it is not among the application's \
                 cors_origins.",
            ),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected-request",
                "With demo data, and on an address of this machine only, the server answers to \
                 localhost and 127.0.0.1.",
            ),
            Self::RequestTimeout => (
                StatusCode::REQUEST_TIMEOUT,
                "request-timeout",
                "The request's body did not arrive in time.",
            ),
            Self::ContentTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "content-too-large",
                "The request's body is longer than the server accepts.",
            ),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "header-fields-too-large",
                "The request's line and header fields are longer than the server accepts.",
            ),
            Self::ComponentFailed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "component-failed",
                "The component that serves this path failed.",
            ),
            Self::NotImplemented => {
                (StatusCode::NOT_IMPLEMENTED, "not-implemented", "The server opens no tunnels.")
            }
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "The server has as many requests as it can serve; try again shortly.",
            ),
            Self::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "The server has as many connections as it can serve; try again shortly.",
            ),
            Self::Draining => (
                StatusCode::SERVICE_UNAVAILABLE,
                "draining",
                "The server is being stopped; try again shortly.",
            ),
            Self::DeadlineExceeded => (
                StatusCode::GATEWAY_TIMEOUT,
                "deadline-exceeded",
                "The component that serves this path took too long.",
            ),
        }
    }

    /// Whether an HTTP/1 connection is closed after the answer: because what follows on it may be
    /// an unread body, or because it is not wanted any longer.
    fn closes(self) -> bool {
        match self {
            Self::BadRequest(_)
            | Self::RequestTimeout
            | Self::ContentTooLarge
            | Self::HeadTooLarge
            | Self::NotImplemented
            | Self::NoRoom
            | Self::Draining => true,
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::OriginNotAllowed
            | Self::Misdirected
            | Self::ComponentFailed
            | Self::Overloaded
            | Self::DeadlineExceeded => false,
        }
    }

    /// The answer to a request made with `version`.
    pub(crate) fn response(self, id: RequestId, version: Version) -> Response<Bytes> {
        let (status, slug, detail) = self.facts();
        let title = status.canonical_reason().unwrap_or_default();
        // None of the texts has a character that JSON escapes.
        let body = format!(
            "{{\"type\":\"urn:ward:problem:{slug}\",\"title\":\"{title}\",\"status\":{},\
             \"detail\":\"{detail}\",\"instance\":\"urn:uuid:{id}\"}}",
            status.as_u16(),
        );
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if self == Self::MethodNotAllowed {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if self.closes() && version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const ALL: [Problem; 12] = [
        Problem::BadRequest("Why."),
        Problem::NotFound,
        Problem::MethodNotAllowed,
        Problem::RequestTimeout,
        Problem::ContentTooLarge,
        Problem::HeadTooLarge,
        Problem::ComponentFailed,
        Problem::NotImplemented,
        Problem::Overloaded,
        Problem::NoRoom,
        Problem::Draining,
        Problem::DeadlineExceeded,
    ];

    #[test]
    fn each_is_a_json_document_that_says_what_its_status_line_says() {
        for problem in ALL {
            let id = RequestId::of(&HeaderMap::new());
            let response = problem.response(id, Version::HTTP_11);
            let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["status"], response.status().as_u16());
            assert_eq!(body["title"], response.status().canonical_reason().unwrap());
            assert_eq!(body["instance"], format!("urn:uuid:{id}"));
            assert!(body["type"].as_str().unwrap().starts_with("urn:ward:problem:"));
            assert!(body["detail"].as_str().unwrap().ends_with('.'));
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let busy = response.status() == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(response.headers().contains_key(RETRY_AFTER), busy);
        }
    }

    #[test]
    fn http_2_answers_carry_no_connection_field() {
        let id = RequestId::of(&HeaderMap::new());
        for problem in ALL {
            assert!(!problem.response(id, Version::HTTP_2).headers().contains_key(CONNECTION));
        }
    }
}
