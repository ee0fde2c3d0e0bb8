//! Answers with a whole body in memory, and the headers every one of them carries.
//!
//! Each says `Cache-Control: no-store`: what Ward answers is patient data, a token or an error
//! about one of them, and none of it belongs in anybody's cache. A resource that may be cached has
//! to say so by replacing the header.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::etag;

/// An answer as `#[http_service]` takes it.
pub type Reply = http::Response<Full<Bytes>>;

/// An answer without a body. It carries no `Content-Length`, which 204 and 304 must not have.
pub fn empty(status: StatusCode) -> Reply {
    let mut answer = Reply::new(Full::default());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The answer to OPTIONS: the methods that the resource has.
pub(crate) fn options(allow: &str) -> Reply {
    let mut answer = empty(StatusCode::NO_CONTENT);
    answer.headers_mut().extend(HeaderValue::from_str(allow).ok().map(|allow| (ALLOW, allow)));
    answer
}

/// "Nothing has changed since the version you have."
pub fn not_modified(version: i64) -> Reply {
    let mut answer = empty(StatusCode::NOT_MODIFIED);
    answer.headers_mut().insert(ETAG, etag::of(version));
    answer
}

/// An answer in JSON.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Reply {
    encoded(status, "application/json", value)
}

/// An answer with a text that is always the same.
pub fn text(media: &'static str, text: &'static str) -> Reply {
    whole(StatusCode::OK, media, Bytes::from_static(text.as_bytes()))
}

/// JSON under another content type. A value that does not serialise becomes a bare 500: with the
/// types used here (no maps with odd keys, no failing `Serialize`) that cannot come about.
pub(crate) fn encoded<T: Serialize>(status: StatusCode, media: &'static str, value: &T) -> Reply {
    let Ok(body) = serde_json::to_vec(value) else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    whole(status, media, Bytes::from(body))
}

fn whole(status: StatusCode, media: &'static str, body: Bytes) -> Reply {
    let mut answer = empty(status);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *answer.body_mut() = Full::new(body);
    answer
}

/// The answer to HEAD: that to GET without its body. `Content-Length` goes too, because hosts hold
/// a component to the length it announces.
pub fn without_body(mut answer: Reply) -> Reply {
    *answer.body_mut() = Full::default();
    answer.headers_mut().remove(CONTENT_LENGTH);
    answer
}

/// The body's bytes, for tests that read answers.
#[cfg(test)]
pub(crate) fn bytes(answer: Reply) -> Bytes {
    use http_body::Body;
    let mut body = answer.into_body();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(&mut body).poll_frame(&mut context) {
        std::task::Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap(),
        _ => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_its_type_and_length() {
        let answer = json(StatusCode::CREATED, &[1, 2]);
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["content-length"], "5");
        assert_eq!(bytes(answer), "[1,2]");
    }

    #[test]
    fn what_has_not_changed_has_its_tag_and_no_body() {
        let answer = not_modified(7);
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(answer.headers()["etag"], "\"7\"");
        assert_eq!(bytes(answer), "");
    }

    #[test]
    fn head_keeps_everything_but_the_body() {
        let answer = without_body(json(StatusCode::OK, &[1]));
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert!(answer.headers().get("content-length").is_none());
        assert_eq!(bytes(answer), "");
    }
}
