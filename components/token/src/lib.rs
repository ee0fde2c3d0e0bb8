//! Access tokens: how they are issued, how they are verified, how they are taken out of an
//! `Authorization` header, for how long one that was good need not be looked at again, and what the
//! audit log is told of whoever has none ([`Tally`]). auth
//! issues and verifies; guard and the host's gRPC trigger only verify. All use this one crate, so
//! that what one issues the others accept and nothing else.
//!
//! A token is a JWT signed with Ed25519 (`alg` EdDSA), and names its key (`kid`) and its session
//! (`sid`). Whether the session has ended is not in it, and nothing here asks. No I/O, no clock and
//! no randomness of its own policy: the caller passes the time and the token's id, which is what
//! makes expiry testable.
//! Nothing here may print a token or a key, and no error carries any part of one.

mod bearer;
mod cache;
mod identity;
mod keys;
mod refused;
mod sign;
mod trust;
mod verify;

#[cfg(test)]
mod hostile_tests;

pub use bearer::{Credentials, bearer};
pub use identity::{Grant, Identity, Role, Scopes};
pub use keys::{Jwk, KeySet};
pub use refused::{Kind, TOGETHER, TRIES, Tally, Turn, Why};
pub use sign::{SignError, Signer};
pub use trust::{Refusal, Settings, Trust};
pub use verify::{Rejection, Verifier};

/// `WWW-Authenticate` for a request without credentials: RFC 6750 (3.1) wants no error code then.
pub const CHALLENGE: &str = r#"Bearer realm="ward""#;

/// `WWW-Authenticate` for credentials that are no good.
const CHALLENGE_INVALID: &str = r#"Bearer realm="ward", error="invalid_token""#;
/// The same for a token of ours whose time has passed.
const CHALLENGE_EXPIRED: &str = concat!(
    r#"Bearer realm="ward", error="invalid_token", "#,
    r#"error_description="The token has expired.""#
);
/// The same for one whose time has not come: only clocks that differ make such tokens.
const CHALLENGE_EARLY: &str = concat!(
    r#"Bearer realm="ward", error="invalid_token", error_description="The token is from the "#,
    r#"future: the clocks of this server and of the one that issued it differ.""#
);

/// How long a token is good for. Fifteen minutes is also how long a session that has ended could go
/// on where nobody asks whether it has.
pub const LIFETIME_SECONDS: u64 = 900;

/// How far clocks may differ: `iat` and `nbf` may lie so far in the future, and `exp` in the past.
/// Machines kept by NTP differ by less; those of a small hospital by some seconds.
pub const CLOCK_LEEWAY_SECONDS: u64 = 10;

/// The longest token that is looked at. Ours are about 900 bytes; the bound keeps the work an
/// anonymous caller can ask for small.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The key in a variable is not a usable Ed25519 key in PEM. Which part of it is wrong is not
/// said: whoever may see the key can look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in PEM")]
pub struct KeyError;
