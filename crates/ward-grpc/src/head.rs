//! Whether a request is a gRPC call at all, and small enough to be looked at. What is not gets an
//! HTTP status where the protocol wants one, since whoever sent it may not read gRPC's.

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

/// Bytes that HTTP/2 counts for a field beside its name and value (RFC 9113, 6.5.2).
const FIELD_BYTES: usize = 32;

/// What those read who came for something else.
const OLD: &str = "This port speaks gRPC over HTTP/2, and the request came with HTTP/1. \
                   For browsers and HTTP/1 clients there is the HTTP listener.\n";
const NO_POST: &str = "This port speaks gRPC, whose calls are POST requests. \
                       For browsers and HTTP clients there is the HTTP listener.\n";
const NO_GRPC: &str = "This port speaks gRPC: the content type is application/grpc. Neither \
                       gRPC-Web nor JSON is served; for those there is the HTTP listener.\n";

/// Why a request is no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoCall {
    /// Answered with this status, and a sentence for whoever reads it.
    Http(StatusCode, &'static str),
    /// Its metadata is larger than is allowed.
    TooLarge,
}

/// Checks a request's head.
pub(crate) fn check(parts: &Parts, head_bytes_max: usize) -> Result<(), NoCall> {
    if parts.version < Version::HTTP_2 {
        return Err(NoCall::Http(StatusCode::HTTP_VERSION_NOT_SUPPORTED, OLD));
    }
    if parts.method != Method::POST {
        return Err(NoCall::Http(StatusCode::METHOD_NOT_ALLOWED, NO_POST));
    }
    if !is_grpc(&parts.headers) {
        return Err(NoCall::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, NO_GRPC));
    }
    if metadata_bytes(&parts.headers) > head_bytes_max {
        return Err(NoCall::TooLarge);
    }
    Ok(())
}

fn metadata_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_BYTES).sum()
}

/// `application/grpc`, alone or naming protobuf; other forms of message are not spoken here.
fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let kind = value.split(';').next().unwrap_or_default().trim_end();
    matches!(kind, "application/grpc" | "application/grpc+proto")
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn check_type(value: &'static str, taken: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
        assert_eq!(is_grpc(&headers), taken, "{value}");
    }

    #[test]
    fn content_types() {
        check_type("application/grpc", true);
        check_type("application/grpc+proto", true);
        check_type("application/grpc;charset=utf-8", true);
        check_type("application/grpc+json", false);
        check_type("application/grpc-web", false);
        check_type("application/grpcx", false);
        check_type("application/json", false);
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn metadata_at_the_limit_passes_and_a_byte_more_does_not() {
        let request = |length: usize| {
            let request = Request::post("/a.B/C").header(CONTENT_TYPE, "application/grpc");
            let request = request.version(Version::HTTP_2);
            request.header("x", "y".repeat(length)).body(()).unwrap().into_parts().0
        };
        let own = "content-type".len() + "application/grpc".len() + "x".len() + 2 * FIELD_BYTES;
        assert_eq!(check(&request(1000 - own), 1000), Ok(()));
        assert_eq!(check(&request(1001 - own), 1000), Err(NoCall::TooLarge));
    }
}
