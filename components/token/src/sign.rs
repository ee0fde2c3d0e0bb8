//! Issues tokens. Only auth holds the private key; the code alone issues nothing.

use jwt_simple::algorithms::{Ed25519KeyPair, EdDSAKeyPairLike};
use jwt_simple::claims::{Audiences, JWTClaims};
use jwt_simple::prelude::UnixTimeStamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{Identity, KeyError, LIFETIME_SECONDS, Role, Verifier};

/// A token could not be signed. The library gives no cause that would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError;

/// The private key with the names that go into every token.
pub struct Signer {
    key: Ed25519KeyPair,
    issuer: String,
    audience: String,
}

#[derive(Serialize)]
struct RoleClaim<'a> {
    role: &'a str,
}

impl Signer {
    /// Reads a private key in PEM (PKCS#8).
    ///
    /// # Errors
    /// [`KeyError`] when it is not one.
    pub fn new(private_key_pem: &str, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let key = Ed25519KeyPair::from_pem(private_key_pem).map_err(|_| KeyError)?;
        Ok(Self { key, issuer: issuer.to_owned(), audience: audience.to_owned() })
    }

    /// A token for `subject`, good for [`LIFETIME_SECONDS`] from `now` (seconds of the Unix
    /// epoch), and what a verifier will make of it.
    ///
    /// # Errors
    /// [`SignError`] when the library fails.
    pub fn sign(
        &self,
        subject: Uuid,
        role: Role,
        token_id: Uuid,
        now: u64,
    ) -> Result<(String, Identity), SignError> {
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
            custom: RoleClaim { role: role.as_str() },
        };
        let token = self.key.sign(claims).map_err(|_| SignError)?;
        Ok((token, Identity { subject, role, token_id, issued_at: now, expires_at }))
    }

    /// The verifier of this signer's tokens: the public key follows from the private one.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier::with_key(self.key.public_key(), &self.issuer, &self.audience)
    }
}
