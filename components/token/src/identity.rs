//! Who a verified token speaks for. Values of these types exist only after a check, so readers may
//! put them into headers and SQL without another.

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

/// What a token says, once it has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user (`sub`).
    pub subject: Uuid,
    /// The user's role when the token was issued.
    pub role: Role,
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
