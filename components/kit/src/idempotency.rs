//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a client that does not know what
//! became of a request sends it again with the same key, and is answered as the first time.
//!
//! What a service keeps of it is digests. That of the request has the key in it, which is kept
//! nowhere: without the key nobody can try whose data it is the digest of. A key is its user's own,
//! and one for each operation.

use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use spin_sdk::pg::ParameterValue;

use crate::Problem;
use crate::caller::Caller;
use crate::problem::{BAD_REQUEST, Kind};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest key, in characters. Clients send UUIDs.
pub const KEY_CHARS_MAX: usize = 255;

/// The key was used for another request.
pub const REUSED: Kind = Kind::new(
    "idempotency-key-reused",
    "The key was used for another request",
    StatusCode::UNPROCESSABLE_ENTITY,
);

/// What is kept of a key, and of the request that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    key: Vec<u8>,
    request: Vec<u8>,
}

impl Key {
    /// The key of a request for this operation, where it has one; 400 if it cannot be one. Two
    /// documents are the same if they say the same, in whatever order and with whatever blanks.
    pub fn read(
        caller: &Caller,
        headers: &HeaderMap,
        operation: &str,
        document: &Value,
    ) -> Result<Option<Self>, Problem> {
        let mut given = headers.get_all(HEADER).iter();
        let Some(key) = given.next() else { return Ok(None) };
        let key = key.as_bytes();
        let plain = key.iter().all(u8::is_ascii_graphic);
        if !plain || !(1..=KEY_CHARS_MAX).contains(&key.len()) || given.next().is_some() {
            return Err(Problem::new(BAD_REQUEST).detail(format!(
                "Idempotency-Key must be there once, with 1 to {KEY_CHARS_MAX} visible ASCII \
                 characters: a UUID, for example."
            )));
        }
        let user = caller.user_id.as_deref().unwrap_or_default();
        let whose = [operation.as_bytes(), user.as_bytes(), key];
        let document = document.to_string();
        let [operation, user, key] = whose;
        let request = digest([operation, user, key, document.as_bytes()]);
        Ok(Some(Self { key: digest(whose), request }))
    }

    /// As parameters for two `$n::bytea`: the key, and the request.
    pub fn parameters(&self) -> [ParameterValue; 2] {
        [&self.key, &self.request].map(|digest| ParameterValue::Binary(digest.clone()))
    }
}

/// The parameters of a request without a key.
#[must_use]
pub fn none() -> [ParameterValue; 2] {
    [ParameterValue::DbNull, ParameterValue::DbNull]
}

/// Each part after its length, so that none can be taken for two.
fn digest<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_string());
        hash.update(":");
        hash.update(part);
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(user: &str, keys: &[&str], operation: &str, body: &str) -> Result<Option<Key>, u16> {
        let mut headers = HeaderMap::new();
        for key in keys {
            headers.append(HEADER, key.parse().unwrap());
        }
        let caller = Caller { user_id: Some(user.to_owned()), ..Caller::nobody(&headers) };
        let document = serde_json::from_str(body).unwrap();
        let key = Key::read(&caller, &headers, operation, &document);
        key.map_err(|problem| problem.kind().status.as_u16())
    }

    #[test]
    fn keys() {
        let check = |keys: &[&str], expected: Result<bool, u16>| {
            let found = read("u", keys, "o", "{}").map(|key| key.is_some());
            assert_eq!(found, expected, "{keys:?}");
        };
        check(&[], Ok(false));
        check(&["8e03978e-40d5-43dd-bc93-6894a57f9324"], Ok(true));
        check(&["\"8e03978e\""], Ok(true));
        check(&["!"], Ok(true));
        check(&[&"k".repeat(KEY_CHARS_MAX)], Ok(true));
        check(&[&"k".repeat(KEY_CHARS_MAX + 1)], Err(400));
        check(&[""], Err(400));
        check(&["two words"], Err(400));
        check(&["a", "a"], Err(400));
    }

    #[test]
    fn what_is_the_same_and_what_is_not() {
        let first = read("u", &["k"], "o", r#"{"a": 1, "b": 2}"#).unwrap().unwrap();
        let same = read("u", &["k"], "o", r#"{"b":2,"a":1}"#).unwrap().unwrap();
        assert_eq!(first, same);
        let other = read("u", &["k"], "o", r#"{"a": 1}"#).unwrap().unwrap();
        assert_eq!(first.key, other.key);
        assert_ne!(first.request, other.request);
        for (user, key, operation) in [("v", "k", "o"), ("u", "l", "o"), ("u", "k", "p")] {
            let another = read(user, &[key], operation, r#"{"a": 1, "b": 2}"#).unwrap().unwrap();
            assert_ne!(first.key, another.key);
            assert_ne!(first.request, another.request);
        }
        assert_ne!(digest([b"ab", b"c"]), digest([b"a", b"bc"]));
    }

    #[test]
    fn nothing_of_a_request_is_kept_as_it_was() {
        let body = json!({ "name": "Jane Doe" }).to_string();
        let key = read("u", &["k"], "o", &body).unwrap().unwrap();
        let [kept, request] = key.parameters();
        let ParameterValue::Binary(kept) = kept else { panic!() };
        let ParameterValue::Binary(request) = request else { panic!() };
        assert_eq!((kept.len(), request.len()), (32, 32));
    }
}
