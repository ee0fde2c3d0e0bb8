//! The keys and the names that go into tokens, from the component's variables.
//!
//! Variables are read for each request, so that a changed key takes effect at once; only the work
//! of reading the PEM is kept for as long as the instance lives and the variables stay the same.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use spin_sdk::variables;
use token::{Signer, Verifier};

/// What a log line says when the variables are of no use. Never a part of their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) &'static str);

/// What tokens are signed and verified with.
pub(crate) struct Keys {
    pub(crate) signer: Signer,
    pub(crate) verifier: Verifier,
    pub(crate) secret: Secret,
}

/// What hashes are keyed with that must not be found out by trying. It follows from the private
/// key, which is in no database.
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl Secret {
    fn of(private_key: &str) -> Self {
        let hash = Sha256::new().chain_update("hashes of auth: ").chain_update(private_key);
        Self(hash.finalize().into())
    }
}

#[derive(PartialEq)]
struct Settings {
    private_key: String,
    public_keys: String,
    issuer: String,
    audience: String,
}

thread_local! {
    /// The last keys that were read, with what they were read from.
    static LAST: RefCell<Option<(Settings, Rc<Keys>)>> = const { RefCell::new(None) };
}

/// The keys that the variables describe.
pub(crate) async fn keys() -> Result<Rc<Keys>, Unusable> {
    let settings = Settings {
        private_key: variable("jwt_private_key").await?,
        public_keys: public_keys().await?,
        issuer: variable("jwt_issuer").await?,
        audience: variable("jwt_audience").await?,
    };
    LAST.with_borrow_mut(|last| match last {
        Some((known, keys)) if *known == settings => Ok(Rc::clone(keys)),
        _ => {
            let keys = Rc::new(Keys::new(&settings)?);
            *last = Some((settings, Rc::clone(&keys)));
            Ok(keys)
        }
    })
}

/// The public keys, in PEM.
pub(crate) async fn public_keys() -> Result<String, Unusable> {
    variable("jwt_public_key").await
}

impl Keys {
    /// A private key that nobody has the public one of is refused: what it signs would be good for
    /// nothing, and nobody could tell why.
    fn new(settings: &Settings) -> Result<Self, Unusable> {
        let Settings { private_key, public_keys, issuer, audience } = settings;
        let signer = Signer::new(private_key, issuer, audience);
        let signer = signer.map_err(|_| Unusable("jwt_private_key-no-key"))?;
        let verifier = Verifier::new(public_keys, issuer, audience);
        let verifier = verifier.map_err(|_| Unusable("jwt_public_key-no-key"))?;
        if verifier.knows(signer.key_id()) {
            Ok(Self { signer, verifier, secret: Secret::of(private_key) })
        } else {
            Err(Unusable("jwt_private_key-not-of-jwt_public_key"))
        }
    }
}

async fn variable(name: &'static str) -> Result<String, Unusable> {
    variables::get(name).await.map_err(|_| Unusable(name))
}

/// Seconds of the Unix epoch; a clock before it reads as 0, when no token is good.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pairs made for these tests and used nowhere else; the text inside the PEM armour.
    const PAIRS: [[&str; 2]; 2] = [
        [
            "MC4CAQAwBQYDK2VwBCIEIFgaH+aXpCD9rYxx3m8qjNFgJ6BOo4UNfZ91yuE8ye73",
            "MCowBQYDK2VwAyEAxJHo+wFuOVd6oAflaDLcZ+m5rFJYRW+d1WX3gQRzxdA=",
        ],
        [
            "MC4CAQAwBQYDK2VwBCIEIDiyruq+KyJehSO7UqacBrVxqAVGTamqQ/z5lFuWw7WX",
            "MCowBQYDK2VwAyEAucXivxRNsZLYY8TxEni0xJVBYyC3WjAlP37yZ+Qg83M=",
        ],
    ];

    fn pem(label: &str, text: &str) -> String {
        format!("-----BEGIN {label} KEY-----\n{text}\n-----END {label} KEY-----\n")
    }

    fn check(private: &str, public: &[&str], expected: Result<(), &'static str>) {
        let settings = Settings {
            private_key: pem("PRIVATE", private),
            public_keys: public.iter().map(|text| pem("PUBLIC", text)).collect(),
            issuer: "issuer".to_owned(),
            audience: "ward".to_owned(),
        };
        assert_eq!(Keys::new(&settings).map(drop).map_err(|unusable| unusable.0), expected);
    }

    #[test]
    fn what_is_signed_can_be_verified() {
        let [[private, public], [_, other]] = PAIRS;
        check(private, &[public], Ok(()));
        check(private, &[other, public], Ok(()));
        check(private, &[other], Err("jwt_private_key-not-of-jwt_public_key"));
        check(private, &[], Err("jwt_public_key-no-key"));
        check("", &[public], Err("jwt_private_key-no-key"));
    }
}
