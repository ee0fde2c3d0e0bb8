//! Who may come in: from the `Authorization` values of a request to an identity, or to the reason
//! why not. guard asks this for HTTP and the host's gRPC trigger for calls, so that the same token
//! is good for both or for neither.
//!
//! A token that was good is remembered until it expires. What is remembered belongs to the key and
//! the names it was verified with: other settings are another [`Trust`], which knows nobody yet.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::{self, Cache};
use crate::{
    CHALLENGE, CHALLENGE_EARLY, CHALLENGE_EXPIRED, CHALLENGE_INVALID, Credentials, Identity,
    KeyError, Rejection, TOKEN_BYTES_MAX, Verifier, bearer,
};

/// What tokens are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The public keys, in PEM, one after another.
    pub public_key: String,
    /// The issuer a token must name.
    pub issuer: String,
    /// The audience a token must name.
    pub audience: String,
}

/// Why nobody is let in. The caller gets one answer for each, whatever else is wrong with a token;
/// what is said of time is said only of tokens that were issued here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No credentials came.
    Missing,
    /// What came is no good.
    Invalid,
    /// The token was good.
    Expired,
    /// The token will be good: the clocks of its issuer and of whoever verifies it differ.
    Early,
}

impl Refusal {
    /// What goes into `WWW-Authenticate`.
    #[must_use]
    pub fn challenge(self) -> &'static str {
        match self {
            Self::Missing => CHALLENGE,
            Self::Invalid => CHALLENGE_INVALID,
            Self::Expired => CHALLENGE_EXPIRED,
            Self::Early => CHALLENGE_EARLY,
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Expired => Self::Expired,
            Rejection::Early => Self::Early,
            Rejection::TooLong
            | Rejection::Form
            | Rejection::Signature
            | Rejection::Claims
            | Rejection::Party
            | Rejection::Lifetime => Self::Invalid,
        }
    }
}

/// A verifier with its settings, and what it found to be good.
pub struct Trust {
    settings: Settings,
    verifier: Verifier,
    known: Mutex<Cache>,
}

impl Trust {
    /// What is believed under these settings.
    ///
    /// # Errors
    /// [`KeyError`] when the key is none, or a private one.
    pub fn new(settings: Settings) -> Result<Self, KeyError> {
        let verifier = Verifier::new(&settings.public_key, &settings.issuer, &settings.audience)?;
        Ok(Self { settings, verifier, known: Mutex::default() })
    }

    /// What it verifies with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who is asking, by the values of all `Authorization` fields of one request, at `now` (seconds
    /// of the Unix epoch).
    ///
    /// # Errors
    /// [`Refusal`], which is all that an answer may depend on.
    pub fn admit<V: AsRef<[u8]>>(&self, values: &[V], now: u64) -> Result<Arc<Identity>, Refusal> {
        match bearer(values) {
            Credentials::Missing => Err(Refusal::Missing),
            Credentials::Unusable => Err(Refusal::Invalid),
            Credentials::Token(token) => self.verify(token, now).map_err(Refusal::from),
        }
    }

    /// Verifies a token, or remembers that it did.
    fn verify(&self, token: &str, now: u64) -> Result<Arc<Identity>, Rejection> {
        // What is too long to be verified is too long to be hashed.
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Rejection::TooLong);
        }
        let key = cache::key(token);
        if let Some(identity) = self.with_known(|known| known.get(&key, now)) {
            return Ok(identity);
        }
        // Not under the lock: others need not wait for this one's arithmetic.
        let identity = Arc::new(self.verifier.verify(token, now)?);
        self.with_known(|known| known.insert(key, Arc::clone(&identity)));
        Ok(identity)
    }

    fn with_known<T>(&self, use_it: impl FnOnce(&mut Cache) -> T) -> T {
        use_it(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{CLOCK_LEEWAY_SECONDS, Grant, LIFETIME_SECONDS, Role, Scopes, Signer};

    const NOW: u64 = 1_800_000_000;
    /// Two pairs made for these tests and used nowhere else; the text inside the PEM armour.
    const PRIVATE: [&str; 2] = [
        "MC4CAQAwBQYDK2VwBCIEIFgaH+aXpCD9rYxx3m8qjNFgJ6BOo4UNfZ91yuE8ye73",
        "MC4CAQAwBQYDK2VwBCIEIDiyruq+KyJehSO7UqacBrVxqAVGTamqQ/z5lFuWw7WX",
    ];
    const PUBLIC: [&str; 2] = [
        "MCowBQYDK2VwAyEAxJHo+wFuOVd6oAflaDLcZ+m5rFJYRW+d1WX3gQRzxdA=",
        "MCowBQYDK2VwAyEAucXivxRNsZLYY8TxEni0xJVBYyC3WjAlP37yZ+Qg83M=",
    ];

    fn pem(label: &str, text: &str) -> String {
        format!("-----BEGIN {label} KEY-----\n{text}\n-----END {label} KEY-----")
    }

    fn settings(which: usize) -> Settings {
        Settings {
            public_key: pem("PUBLIC", PUBLIC[which]),
            issuer: "issuer".to_owned(),
            audience: "ward".to_owned(),
        }
    }

    fn both() -> Settings {
        let keys = PUBLIC.map(|text| pem("PUBLIC", text)).join("\n");
        Settings { public_key: keys, ..settings(0) }
    }

    fn trust(which: usize) -> Trust {
        Trust::new(settings(which)).unwrap()
    }

    fn token(which: usize) -> String {
        let signer = Signer::new(&pem("PRIVATE", PRIVATE[which]), "issuer", "ward").unwrap();
        let grant = Grant {
            subject: Uuid::from_u128(1),
            role: Role::parse("ADMIN").unwrap(),
            scopes: Scopes::default(),
            session: Uuid::from_u128(3),
            token_id: Uuid::from_u128(2),
        };
        signer.sign(grant, NOW).unwrap().0
    }

    fn is_known(trust: &Trust, token: &str) -> bool {
        trust.with_known(|known| known.get(&cache::key(token), NOW).is_some())
    }

    #[test]
    fn a_remembered_token_expires_like_any_other() {
        let (trust, token) = (trust(0), token(0));
        let end = NOW + LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS;
        for now in [NOW, NOW, end - 1] {
            assert!(trust.verify(&token, now).is_ok());
            assert!(is_known(&trust, &token));
        }
        assert_eq!(trust.verify(&token, end), Err(Rejection::Expired));
    }

    #[test]
    fn refused_tokens_are_not_remembered() {
        let trust = trust(0);
        let long = "a".repeat(TOKEN_BYTES_MAX + 1);
        for token in [token(1).as_str(), "a.b.c", &long] {
            assert!(trust.verify(token, NOW).is_err());
            assert!(!is_known(&trust, token));
        }
    }

    #[test]
    fn a_refusal_says_no_more_than_whether_there_were_credentials_or_the_time_is_wrong() {
        let trust = trust(0);
        let good = format!("Bearer {}", token(0));
        let other = format!("Bearer {}", token(1));
        assert_eq!(trust.admit(&[&good], NOW).unwrap().subject, Uuid::from_u128(1));
        assert_eq!(trust.admit::<&str>(&[], NOW), Err(Refusal::Missing));
        for values in [&[other.as_str()][..], &["Basic eDp5"], &["Bearer "], &[&good, &good]] {
            assert_eq!(trust.admit(values, NOW), Err(Refusal::Invalid), "{values:?}");
        }
        assert_eq!(trust.admit(&[&good], NOW + 2 * LIFETIME_SECONDS), Err(Refusal::Expired));
        assert_eq!(trust.admit(&[&good], NOW - 60), Err(Refusal::Early));
        // Not of tokens that somebody else made.
        assert_eq!(trust.admit(&[&other], NOW - 60), Err(Refusal::Invalid));
        assert_eq!(trust.admit(&[&other], NOW + 2 * LIFETIME_SECONDS), Err(Refusal::Invalid));
    }

    #[test]
    fn keys_are_rotated_with_overlap() {
        let both = Trust::new(both()).unwrap();
        assert!(both.verify(&token(0), NOW).is_ok());
        assert!(both.verify(&token(1), NOW).is_ok());
        // Once the old one is gone, so are its tokens.
        let new = trust(1);
        assert_eq!(new.verify(&token(0), NOW), Err(Rejection::Signature));
        assert!(new.verify(&token(1), NOW).is_ok());
    }

    #[test]
    fn settings_without_a_public_key_are_refused() {
        for key in [pem("PRIVATE", PRIVATE[0]), String::new(), "key".to_owned()] {
            assert!(Trust::new(Settings { public_key: key, ..settings(0) }).is_err());
        }
    }
}
