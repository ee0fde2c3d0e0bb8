//! What a login or a refresh hands out: an access token, which is signed and good for a quarter of
//! an hour wherever tokens are verified, and a refresh token, which means something here only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use token::{Grant, Role, Scopes, Signer};
use uuid::Uuid;

use crate::failure::Failure;

/// Bytes of randomness in a refresh token.
const REFRESH_BYTES: usize = 32;

/// The answer to a login and to a refresh.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Granted {
    token: String,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: String,
    refresh_expires_in: i64,
}

/// An access token, signed.
pub(crate) struct Access(String);

impl Access {
    /// Signs a token for a user's session at `now` (seconds of the Unix epoch).
    pub(crate) fn sign(
        signer: &Signer,
        (user, role): (&str, &str),
        session: &str,
        token_id: Uuid,
        now: u64,
    ) -> Result<Self, Failure> {
        let uuid = |text: &str| Uuid::parse_str(text).map_err(|_| Failure::Other("id"));
        let scopes = Scopes::parse(&policy::scopes(role).join(" "));
        let grant = Grant {
            subject: uuid(user)?,
            role: Role::parse(role).ok_or(Failure::Other("user-role"))?,
            scopes: scopes.ok_or(Failure::Other("scopes"))?,
            session: uuid(session)?,
            token_id,
        };
        let signed = signer.sign(grant, now);
        Ok(Self(signed.map_err(|_| Failure::Other("sign"))?.0))
    }
}

/// The end of an access token that is signed now, in seconds of the Unix epoch.
pub(crate) fn until(now: u64) -> Result<i64, Failure> {
    i64::try_from(now + token::LIFETIME_SECONDS).map_err(|_| Failure::Other("clock"))
}

/// A new refresh token.
pub(crate) struct Refresh(String);

impl Refresh {
    /// Draws one.
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut bytes = [0; REFRESH_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| Failure::Other("random"))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> Vec<u8> {
        hash(&self.0)
    }
}

/// What is kept of a refresh token, whoever made it.
pub(crate) fn hash(refresh_token: &str) -> Vec<u8> {
    Sha256::digest(refresh_token.as_bytes()).to_vec()
}

impl Granted {
    /// Both tokens, the second for so many seconds.
    pub(crate) fn new(access: Access, refresh: Refresh, refresh_expires_in: i64) -> Self {
        Self {
            token: access.0,
            token_type: "Bearer",
            expires_in: token::LIFETIME_SECONDS,
            refresh_token: refresh.0,
            refresh_expires_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_tokens_are_random_and_kept_as_hashes() {
        let (one, two) = (Refresh::new().unwrap(), Refresh::new().unwrap());
        assert_ne!(one.0, two.0);
        assert_eq!((one.0.len(), one.hash().len()), (43, 32));
        assert_eq!(one.hash(), hash(&one.0));
    }

    #[test]
    fn the_answer_has_the_agreed_fields() {
        let access = Access("t".to_owned());
        let granted = Granted::new(access, Refresh("r".to_owned()), 3600);
        let expected = serde_json::json!({
            "token": "t", "tokenType": "Bearer", "expiresIn": 900,
            "refreshToken": "r", "refreshExpiresIn": 3600,
        });
        assert_eq!(serde_json::to_value(granted).unwrap(), expected);
    }
}
