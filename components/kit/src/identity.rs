//! Who is calling, as the guard in front of a component found out.
//!
//! The guard removes whatever a client sent under these names and sets each exactly once. Nothing
//! is believed that does not look so: without the headers, or with one of them twice, the caller is
//! unknown and the answer is 401.

use http::HeaderMap;

use crate::{Problem, uuid};

/// The caller's id, a UUID.
pub const USER_ID: &str = "ward-user-id";
/// The caller's role, e.g. `ADMIN`.
pub const USER_ROLE: &str = "ward-user-role";
/// The id of the token the caller came with (`jti`).
pub const TOKEN_ID: &str = "ward-token-id";
/// The session that token belongs to (`sid`), a UUID.
pub const SESSION_ID: &str = "ward-session-id";

/// Longest role and token id accepted, in bytes: ours are far shorter, and both go into audit rows.
const WORD_MAX_BYTES: usize = 64;
/// Longest request id kept, in bytes.
const REQUEST_ID_MAX_BYTES: usize = 128;
/// Lengths of the fields of a `traceparent`: version, trace, parent, flags (W3C Trace Context).
const TRACE_FIELDS: [usize; 4] = [2, 32, 16, 2];

/// A caller the guard has let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's id, a UUID in canonical form.
    pub user_id: String,
    /// The user's role.
    pub role: String,
    /// The id of the token used.
    pub token_id: String,
    /// The session it belongs to, a UUID in canonical form, where guard said which.
    pub session_id: Option<String>,
}

impl Identity {
    /// Reads the identity headers; anything short of all three, once each, is 401.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        Self::read(headers).ok_or_else(Problem::unauthorized)
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        Some(Self {
            user_id: uuid::parse(single(headers, USER_ID)?)?,
            role: short_word(single(headers, USER_ROLE)?)?.to_owned(),
            token_id: short_word(single(headers, TOKEN_ID)?)?.to_owned(),
            session_id: single(headers, SESSION_ID).and_then(uuid::parse),
        })
    }
}

/// The request's id as the host or the client gave it, if it is a plain word of sensible length.
pub fn request_id(headers: &HeaderMap) -> Option<&str> {
    request_id_in(single(headers, "x-request-id")?)
}

/// The text, if it can be a request's id.
pub(crate) fn request_id_in(text: &str) -> Option<&str> {
    word(text, REQUEST_ID_MAX_BYTES)
}

/// The trace that the request belongs to, if it came with one of the form the W3C gave it.
pub fn traceparent(headers: &HeaderMap) -> Option<&str> {
    traceparent_in(single(headers, "traceparent")?)
}

/// The text, if it can be a `traceparent`.
pub fn traceparent_in(text: &str) -> Option<&str> {
    let digits = |field: &str| field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let formed = text.split('-').map(str::len).eq(TRACE_FIELDS) && text.split('-').all(digits);
    // The version ff and ids of zeros only are nobody's.
    let nobodys =
        |field: &str| field == "ff" || field.len() > 2 && field.bytes().all(|b| b == b'0');
    (formed && !text.split('-').take(3).any(nobodys)).then_some(text)
}

/// The text, if it can be a role or a token's id.
pub(crate) fn short_word(text: &str) -> Option<&str> {
    word(text, WORD_MAX_BYTES)
}

/// The value of a header that came exactly once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The text if it is not empty, not long, and visible ASCII throughout.
fn word(text: &str, max_bytes: usize) -> Option<&str> {
    let fits = (1..=max_bytes).contains(&text.len());
    (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    fn check(headers: &[(&'static str, &str)], known: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let identity = Identity::from_headers(&map);
        assert_eq!(identity.is_ok(), known, "{headers:?}");
        if let Err(problem) = identity {
            assert_eq!(problem.kind(), crate::problem::UNAUTHORIZED);
        }
    }

    #[test]
    fn all_three_headers_exactly_once() {
        let (user, role, token) = ((USER_ID, ID), (USER_ROLE, "ADMIN"), (TOKEN_ID, "t-1"));
        check(&[user, role, token], true);
        check(&[], false);
        check(&[user, role], false);
        check(&[user, token], false);
        check(&[role, token], false);
        check(&[user, user, role, token], false);
        check(&[user, role, role, token], false);
        check(&[(USER_ID, "root"), role, token], false);
        check(&[user, (USER_ROLE, ""), token], false);
        check(&[user, (USER_ROLE, "A B"), token], false);
        check(&[user, (USER_ROLE, &"A".repeat(65)), token], false);
    }

    #[test]
    fn a_session_is_a_uuid_that_came_once() {
        let check = |sessions: &[&str], expected: Option<&str>| {
            let mut map = HeaderMap::new();
            for (name, value) in [(USER_ID, ID), (USER_ROLE, "ADMIN"), (TOKEN_ID, "t-1")] {
                map.append(name, value.parse().unwrap());
            }
            for session in sessions {
                map.append(SESSION_ID, session.parse().unwrap());
            }
            let identity = Identity::from_headers(&map).unwrap();
            assert_eq!(identity.session_id.as_deref(), expected, "{sessions:?}");
        };
        check(&[], None);
        check(&[ID], Some(ID));
        check(&[ID, ID], None);
        check(&["session"], None);
    }

    #[test]
    fn request_ids_are_plain_words() {
        let check = |value: &str, expected: Option<&str>| {
            let mut map = HeaderMap::new();
            map.insert("x-request-id", value.parse().unwrap());
            assert_eq!(request_id(&map), expected);
        };
        check("abc-1", Some("abc-1"));
        check("a b", None);
        check("", None);
        check(&"a".repeat(129), None);
    }

    #[test]
    fn traces_have_the_form_of_the_w3c() {
        let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let check = |values: &[&str], expected: Option<&str>| {
            let mut map = HeaderMap::new();
            for value in values {
                map.append("traceparent", value.parse().unwrap());
            }
            assert_eq!(traceparent(&map), expected, "{values:?}");
        };
        check(&[], None);
        check(&[sent], Some(sent));
        check(&[sent, sent], None);
        check(&[&sent.to_uppercase()], None);
        check(&[&sent.replacen("00", "ff", 1)], None);
        check(&["00-00000000000000000000000000000000-b7ad6b7169203331-01"], None);
        check(&["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"], None);
        check(&[&sent[..52]], None);
        check(&["Jane Roe"], None);
        check(&[""], None);
    }
}
