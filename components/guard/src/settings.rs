//! The public key and the names a token must carry, from the variables of the component behind,
//! and the cache of tokens that were verified with them.
//!
//! Asking the host for three variables costs more than everything else on a request with a known
//! token, so they are kept, for at most [`KEPT_SECONDS`]. The cache goes when they change: what an
//! old key signed is not good for a new one.

use std::cell::RefCell;
use std::rc::Rc;

use spin_sdk::variables;
use token::{Identity, Rejection, Verifier};

use crate::cache::{self, Cache};

/// How long variables are kept, which is how long a key that was taken back is still believed by
/// an instance. Instances that idle for a second are gone anyway.
const KEPT_SECONDS: u64 = 30;

/// What a log line says when the variables are of no use. Never a part of their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) &'static str);

#[derive(PartialEq)]
struct Settings {
    public_key: String,
    issuer: String,
    audience: String,
}

/// A verifier with its settings, the time of their reading, and what it found to be good.
pub(crate) struct Trust {
    settings: Settings,
    read_at: u64,
    verifier: Verifier,
    known: RefCell<Cache>,
}

thread_local! {
    static TRUST: RefCell<Option<Rc<Trust>>> = const { RefCell::new(None) };
}

impl Trust {
    /// Verifies a token, or remembers that it did, at `now` (seconds of the Unix epoch).
    pub(crate) fn verify(&self, token: &str, now: u64) -> Result<Rc<Identity>, Rejection> {
        // What is too long to be verified is too long to be hashed.
        if token.len() > token::TOKEN_BYTES_MAX {
            return Err(Rejection::TooLong);
        }
        let key = cache::key(token);
        if let Some(identity) = self.known.borrow().get(&key, now) {
            return Ok(identity);
        }
        let identity = Rc::new(self.verifier.verify(token, now)?);
        self.known.borrow_mut().insert(key, Rc::clone(&identity));
        Ok(identity)
    }

    fn is_fresh(&self, now: u64) -> bool {
        (self.read_at..self.read_at.saturating_add(KEPT_SECONDS)).contains(&now)
    }
}

/// What tokens are verified with at `now`.
pub(crate) async fn trust(now: u64) -> Result<Rc<Trust>, Unusable> {
    let kept = TRUST.with_borrow(|kept| kept.as_ref().filter(|kept| kept.is_fresh(now)).cloned());
    match kept {
        Some(kept) => Ok(kept),
        None => renew(read().await?, now),
    }
}

/// Puts settings just read into place. The cache stays where they are the ones it was filled with.
fn renew(settings: Settings, now: u64) -> Result<Rc<Trust>, Unusable> {
    let verifier = Verifier::new(&settings.public_key, &settings.issuer, &settings.audience)
        .map_err(|_| Unusable("jwt_public_key-no-key"))?;
    TRUST.with_borrow_mut(|kept| {
        let known = kept.take().filter(|kept| kept.settings == settings);
        let known = known.map(|kept| kept.known.take()).unwrap_or_default();
        let trust = Trust { settings, read_at: now, verifier, known: RefCell::new(known) };
        Ok(Rc::clone(kept.insert(Rc::new(trust))))
    })
}

async fn read() -> Result<Settings, Unusable> {
    Ok(Settings {
        public_key: variable("jwt_public_key").await?,
        issuer: variable("jwt_issuer").await?,
        audience: variable("jwt_audience").await?,
    })
}

async fn variable(name: &'static str) -> Result<String, Unusable> {
    variables::get(name).await.map_err(|_| Unusable(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use token::{LIFETIME_SECONDS, Role, Signer};
    use uuid::Uuid;

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

    fn token(which: usize) -> String {
        let signer = Signer::new(&pem("PRIVATE", PRIVATE[which]), "issuer", "ward").unwrap();
        let role = Role::parse("ADMIN").unwrap();
        signer.sign(Uuid::from_u128(1), role, Uuid::from_u128(2), NOW).unwrap().0
    }

    #[test]
    fn a_remembered_token_expires_like_any_other() {
        let trust = renew(settings(0), NOW).unwrap();
        let token = token(0);
        for now in [NOW, NOW, NOW + LIFETIME_SECONDS - 1] {
            assert!(trust.verify(&token, now).is_ok());
        }
        assert_eq!(trust.verify(&token, NOW + LIFETIME_SECONDS), Err(Rejection::Expired));
    }

    #[test]
    fn a_new_key_forgets_what_the_old_one_signed() {
        let old = renew(settings(0), NOW).unwrap();
        let token = token(0);
        assert!(old.verify(&token, NOW).is_ok());
        let same = renew(settings(0), NOW + KEPT_SECONDS).unwrap();
        assert!(same.known.borrow().get(&cache::key(&token), NOW).is_some());
        let new = renew(settings(1), NOW + KEPT_SECONDS).unwrap();
        assert_eq!(new.verify(&token, NOW), Err(Rejection::Signature));
        assert!(new.verify(&self::token(1), NOW).is_ok());
    }

    #[test]
    fn settings_are_kept_for_a_while() {
        let trust = renew(settings(0), NOW).unwrap();
        for (now, fresh) in [
            (NOW - 1, false),
            (NOW, true),
            (NOW + KEPT_SECONDS - 1, true),
            (NOW + KEPT_SECONDS, false),
        ] {
            assert_eq!(trust.is_fresh(now), fresh, "{now}");
        }
    }

    #[test]
    fn refused_tokens_are_not_remembered() {
        let trust = renew(settings(0), NOW).unwrap();
        let long = "a".repeat(token::TOKEN_BYTES_MAX + 1);
        for token in [token(1).as_str(), "a.b.c", &long] {
            assert!(trust.verify(token, NOW).is_err());
            assert!(trust.known.borrow().get(&cache::key(token), NOW).is_none());
        }
        let mut unusable = settings(0);
        unusable.public_key = pem("PRIVATE", PRIVATE[0]);
        assert!(renew(unusable, NOW).is_err());
    }
}
