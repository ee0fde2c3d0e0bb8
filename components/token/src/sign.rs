//! Issues tokens. Only auth holds the private key; the code alone issues nothing.

use jwt_simple::algorithms::{Ed25519KeyPair, EdDSAKeyPairLike};
use jwt_simple::claims::{Audiences, JWTClaims};
use jwt_simple::prelude::UnixTimeStamp;
use serde::Serialize;

use crate::{Grant, Identity, KeyError, LIFETIME_SECONDS, keys};

/// A token could not be signed. The library gives no cause that would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError;

/// The private key with the names that go into every token.
pub struct Signer {
    key: Ed25519KeyPair,
    key_id: String,
    issuer: String,
    audience: String,
}

#[derive(Serialize)]
struct OwnClaims<'a> {
    role: &'a str,
    scope: &'a str,
    sid: String,
}

impl Signer {
    /// Reads a private key in PEM (PKCS#8).
    ///
    /// # Errors
    /// [`KeyError`] when it is not one.
    pub fn new(private_key_pem: &str, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let key = Ed25519KeyPair::from_pem(private_key_pem).map_err(|_| KeyError)?;
        let key_id = keys::id(&key.public_key());
        Ok(Self {
            key: key.with_key_id(&key_id),
            key_id,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        })
    }

    /// A token that says this, good for [`LIFETIME_SECONDS`] from `now` (seconds of the Unix
    /// epoch), and what a verifier will make of it.
    ///
    /// # Errors
    /// [`SignError`] when the library fails.
    pub fn sign(&self, grant: Grant, now: u64) -> Result<(String, Identity), SignError> {
        let Grant { subject, role, scopes, session, token_id } = grant;
        let expires_at = now + LIFETIME_SECONDS;
        let claims = JWTClaims {
            issued_at: Some(UnixTimeStamp::from_secs(now)),
            expires_at: Some(UnixTimeStamp::from_secs(expires_at)),
            invalid_before: None,
            issuer: Some(self.issuer.clone()),
            subject: Some(subject.to_string()),
            audiences: Some(Audiences::AsString(self.audience.clone())),
            jwt_id: Some(token_id.to_string()),
            nonce: None,
            custom: OwnClaims {
                role: role.as_str(),
                scope: scopes.as_str(),
                sid: session.to_string(),
            },
        };
        let token = self.key.sign(claims).map_err(|_| SignError)?;
        let identity =
            Identity { subject, role, scopes, session, token_id, issued_at: now, expires_at };
        Ok((token, identity))
    }

    /// The name of the key that it signs with.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}
