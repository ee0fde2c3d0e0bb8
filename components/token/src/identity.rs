//! Who a verified token speaks for. Values of these types exist only after a check, so readers may
//! put them into headers and SQL without another.

use std::sync::Arc;

use uuid::Uuid;

use crate::CLOCK_LEEWAY_SECONDS;

/// The longest role name.
const ROLE_BYTES_MAX: usize = 32;

/// A role's name, such as `ADMIN`: 1 to 32 of `A` to `Z` and `_`, so it is a safe header value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role(String);

impl Role {
    /// Takes a name that has the form of a role; `None` for anything else. Which roles exist is
    /// for the users' table and for the services to say.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let letters = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let length = (1..=ROLE_BYTES_MAX).contains(&name.len());
        (letters && length).then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The longest list of scopes: about a hundred names.
const SCOPES_BYTES_MAX: usize = 2048;

/// What a token allows: names such as `patient.read` with one blank between two (RFC 6749, 3.3).
/// Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Arc<str>);

impl Scopes {
    /// Takes a list of names, which may be empty; `None` for what is no such list.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let in_name = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(in_name);
        let formed = text.is_empty() || text.split(' ').all(is_name);
        (formed && text.len() <= SCOPES_BYTES_MAX).then(|| Self(text.into()))
    }

    /// Whether this scope is among them.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        !scope.is_empty() && self.0.split(' ').any(|name| name == scope)
    }

    /// The list.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is put into a token, but for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user.
    pub subject: Uuid,
    /// The user's role.
    pub role: Role,
    /// What is allowed.
    pub scopes: Scopes,
    /// The session: from login to logout.
    pub session: Uuid,
    /// The token's own id.
    pub token_id: Uuid,
}

/// What a token says, once it has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user (`sub`).
    pub subject: Uuid,
    /// The user's role when the token was issued.
    pub role: Role,
    /// What the token allows (`scope`).
    pub scopes: Scopes,
    /// The session it belongs to (`sid`): when that ends, so does the token.
    pub session: Uuid,
    /// The token's own id (`jti`).
    pub token_id: Uuid,
    /// When it was issued, in seconds of the Unix epoch (`iat`).
    pub issued_at: u64,
    /// The first second in which it is no longer good (`exp`), in seconds of the Unix epoch.
    pub expires_at: u64,
}

impl Identity {
    /// Whether the token is still good at `now` (seconds of the Unix epoch), by a clock that may
    /// be ahead of its issuer's.
    #[must_use]
    pub fn is_current(&self, now: u64) -> bool {
        now < self.expires_at.saturating_add(CLOCK_LEEWAY_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_scopes() {
        let both = Scopes::parse("patient.read billing.write").unwrap();
        assert!(both.has("patient.read") && both.has("billing.write"));
        for other in ["", " ", "patient", "read", "patient.read billing.write", "PATIENT.READ"] {
            assert!(!both.has(other), "{other:?}");
        }
        let none = Scopes::parse("").unwrap();
        assert!(!none.has("") && !none.has("patient.read"));
        for text in [" ", "a ", " a", "a  b", "a\tb", "a\nb", "a\"b", "a\\b", "é", "a\0"] {
            assert_eq!(Scopes::parse(text), None, "{text:?}");
        }
        assert!(Scopes::parse(&"a".repeat(SCOPES_BYTES_MAX)).is_some());
        assert!(Scopes::parse(&"a".repeat(SCOPES_BYTES_MAX + 1)).is_none());
    }

    #[test]
    fn role_names() {
        let cases = [
            ("ADMIN", true),
            ("CARE_TEAM", true),
            ("", false),
            ("admin", false),
            ("ADMIN\r\nx: y", false),
            ("ADMIN ", false),
            ("ÄRZTE", false),
        ];
        for (name, accepted) in cases {
            assert_eq!(Role::parse(name).is_some(), accepted, "{name:?}");
        }
        assert!(Role::parse(&"A".repeat(ROLE_BYTES_MAX)).is_some());
        assert!(Role::parse(&"A".repeat(ROLE_BYTES_MAX + 1)).is_none());
    }
}
