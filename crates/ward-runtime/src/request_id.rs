//! The id a request or call has in the log, in what the host answers and in the components' own
//! records: a UUID, by one rule for every trigger. A well-formed one from the client is kept, so
//! that a caller can follow its request through; anything else is replaced, because the value goes
//! into logs.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// `x-request-id`.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One request's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// The client's id if it sent exactly one and it is a UUID in its usual form, or a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(X_REQUEST_ID).iter();
        match (sent.next(), sent.next()) {
            (Some(value), None) => Self::parse(value.as_bytes()).unwrap_or_else(Self::new),
            _ => Self::new(),
        }
    }

    fn parse(value: &[u8]) -> Option<Self> {
        // The parser takes other notations too (braces, URN, no hyphens); one is enough.
        (value.len() == Hyphenated::LENGTH).then(|| Uuid::try_parse_ascii(value).ok())?.map(Self)
    }

    /// A version 7 UUID: in order of time, so that records keyed by it stay together.
    #[allow(clippy::new_without_default, reason = "two of them differ, which no default does")]
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or_default();
        let random: [u8; 10] = rand::random();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id as a header's value. Marked so that HTTP/2 keeps it out of the table in which both
    /// ends remember headers: no other answer has the same one, and each would push out what is
    /// worth remembering.
    pub fn header_value(self) -> HeaderValue {
        let mut buffer = [0; Hyphenated::LENGTH];
        let text = self.0.as_hyphenated().encode_lower(&mut buffer);
        // A hyphenated UUID is always a valid value; the fallback is never taken.
        let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("invalid"));
        value.set_sensitive(true);
        value
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "0198A3C0-7e1b-7c3a-9d52-0123456789ab";

    fn of(values: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(X_REQUEST_ID, HeaderValue::from_static(value));
        }
        let id = RequestId::of(&headers);
        assert_eq!(id.header_value(), id.to_string());
        id.to_string()
    }

    #[test]
    fn a_uuid_is_kept_in_lower_case() {
        assert_eq!(of(&[SENT]), SENT.to_lowercase());
    }

    #[test]
    fn anything_else_is_replaced_by_a_new_version_7() {
        let braced = "{0198a3c0-7e1b-7c3a-9d52-0123456789ab}";
        let simple = "0198a3c07e1b7c3a9d520123456789ab";
        for values in [&[][..], &["John Doe"], &[braced], &[simple], &[SENT, SENT], &[""]] {
            let id = Uuid::try_parse(&of(values)).unwrap();
            assert_eq!(id.get_version_num(), 7, "{values:?}");
            assert_ne!(id.to_string(), SENT.to_lowercase());
        }
        assert_ne!(of(&[]), of(&[]));
    }
}
