//! What browsers are told, so that a page of somebody else's can do less with their users' rights:
//! which origins may call (CORS), that a type is no guess, that TLS stays; and which names a
//! listener answers to that only this machine reaches.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ORIGIN,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use ward_serve::is_local;

use crate::problem::Problem;

/// The methods that pages may use; which of them there are is the component's to say.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// How long browsers remember a preflight, in seconds: a list that gets shorter counts for new
/// tokens soon.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// For a year and with all names below, as browsers' own lists ask for.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");
/// Of a document in JSON: it is no page, loads nothing, and stands in nobody's frame.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// What holds on one listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Browsers {
    /// The origins whose pages may call.
    pub(crate) origins: Vec<HeaderValue>,
    /// Whether clients have to speak TLS.
    pub(crate) is_tls: bool,
    /// Whether only names of this machine itself are answered to. A page may have its own name
    /// lead here (DNS rebinding), and would be of one origin with what it finds.
    pub(crate) local_names_only: bool,
}

impl Browsers {
    /// Whether the name that the client used is one of this listener's.
    pub(crate) fn check_name(&self, authority: Option<&Authority>) -> Result<(), Problem> {
        let local = authority.is_some_and(|authority| is_local(authority.host()));
        if self.local_names_only && !local { Err(Problem::Misdirected) } else { Ok(()) }
    }

    /// The answer to a question about a request that a page means to send (Fetch, 4.8); `None` if
    /// this is none. It comes without a token, so nobody but the host can answer it.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<Result<Response<Bytes>, Problem>> {
        let asks = |name| parts.headers.contains_key(name);
        if parts.method != Method::OPTIONS || !asks(ORIGIN) || !asks(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        if self.allowed(&parts.headers).is_none() {
            return Some(Err(Problem::OriginNotAllowed));
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        // Any header: what one may do with it is for whoever reads it to say.
        if let Some(wanted) = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        Some(Ok(response))
    }

    /// The origin that the request comes from, if its pages may call.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.origins.iter().find(|allowed| *allowed == origin).cloned()
    }

    /// Adds what every answer says; `origin` is who asks, as [`Self::allowed`] has it.
    pub(crate) fn finish(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Whatever could be a page, or a script of one, has its component's policy or none.
        if headers.get(CONTENT_TYPE).is_some_and(is_json) {
            headers.entry(CONTENT_SECURITY_POLICY).or_insert(NO_PAGE);
        }
        if self.is_tls {
            headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(TLS_ONLY);
        }
        if !self.origins.is_empty() {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        }
    }
}

/// `application/json` and all that end on `+json` (RFC 6839, 3.1).
fn is_json(media: &HeaderValue) -> bool {
    let media = media.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let media = media.trim_ascii();
    media.eq_ignore_ascii_case(b"application/json")
        || media.to_ascii_lowercase().ends_with(b"+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_json_is_no_page() {
        let policy = |media: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
            Browsers::default().finish(None, &mut headers);
            headers.contains_key(CONTENT_SECURITY_POLICY)
        };
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/a+json"] {
            assert!(policy(json), "{json}");
        }
        for other in ["text/html", "application/javascript", "image/svg+xml", "text/json5", ""] {
            assert!(!policy(other), "{other}");
        }
    }
}
