//! Verifies tokens. jwt-simple checks the signature; form and claims are checked here as well and
//! more strictly than the library does, because it treats every claim as optional, allows 15
//! minutes of drift by default and understands header fields that none of our tokens has.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{Ed25519PublicKey, EdDSAPublicKeyLike};
use jwt_simple::claims::NoCustomClaims;
use jwt_simple::common::VerificationOptions;
use jwt_simple::prelude::UnixTimeStamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{
    CLOCK_LEEWAY_SECONDS, Identity, KeyError, LIFETIME_SECONDS, Role, Scopes, TOKEN_BYTES_MAX, keys,
};

/// Why a token was refused. A caller learns of it only that the time of a token of ours is not
/// now: [`crate::Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Over [`TOKEN_BYTES_MAX`].
    TooLong,
    /// Not three parts, or a header other than exactly `{"alg":"EdDSA","typ":"JWT","kid":"…"}`.
    Form,
    /// Signed by none of the keys, or not by the one it names.
    Signature,
    /// A claim is missing, given twice, or of the wrong type.
    Claims,
    /// Issued by or for somebody else.
    Party,
    /// No longer good.
    Expired,
    /// Not yet good.
    Early,
    /// Meant to live longer than any token that is issued here.
    Lifetime,
}

/// The public keys, and the issuer and audience a token must name.
pub struct Verifier {
    /// Each with its name.
    keys: Vec<(String, Ed25519PublicKey)>,
    issuer: String,
    audience: String,
}

/// The one header our tokens have. Unknown fields are refused: `jku`, `jwk`, `x5u` and `crit` have
/// no meaning here, and a header that uses them was not made here. `kid` is compared with the names
/// of configured keys and used for nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// The claims our tokens have. Serde refuses a claim given twice. Claims not named here are
/// allowed, so that a later auth can add one before every guard knows it.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: Uuid,
    role: String,
    scope: String,
    sid: Uuid,
    jti: Uuid,
    iat: u64,
    exp: u64,
    nbf: Option<u64>,
}

/// `aud` is a name or a list of names (RFC 7519, 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names(&self, audience: &str) -> bool {
        match self {
            Self::One(name) => name == audience,
            Self::Several(names) => names.iter().any(|name| name == audience),
        }
    }
}

impl Verifier {
    /// Reads public keys in PEM (SubjectPublicKeyInfo), one or several after one another: while
    /// keys are rotated, tokens of the last one and of the next are good.
    ///
    /// # Errors
    /// [`KeyError`] when there is none, or anything else, such as a private key.
    pub fn new(public_keys_pem: &str, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let keys = keys::public_keys(public_keys_pem)?.into_iter();
        let keys = keys.map(|key| (keys::id(&key), key)).collect();
        Ok(Self { keys, issuer: issuer.to_owned(), audience: audience.to_owned() })
    }

    /// Whether a key of this name is among its keys.
    #[must_use]
    pub fn knows(&self, key_id: &str) -> bool {
        self.keys.iter().any(|(name, _)| name == key_id)
    }

    /// Checks everything about `token` at `now` (seconds of the Unix epoch).
    ///
    /// # Errors
    /// A [`Rejection`]. Cheap checks come first; no claim is read before the signature holds.
    pub fn verify(&self, token: &str, now: u64) -> Result<Identity, Rejection> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Rejection::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Rejection::Form);
        };
        let header: Header = json(header).ok_or(Rejection::Form)?;
        if header.alg != "EdDSA" || header.typ != "JWT" {
            return Err(Rejection::Form);
        }
        self.check_signature(&header.kid, token, now)?;
        let claims: Claims = json(claims).ok_or(Rejection::Claims)?;
        self.check_claims(claims, now)
    }

    /// Whether the key of this name signed this. The library insists on reading the times too; it
    /// is given our clock and told to be lenient, since [`Self::check_claims`] decides about them.
    fn check_signature(&self, kid: &str, token: &str, now: u64) -> Result<(), Rejection> {
        let named = self.keys.iter().find(|(name, _)| name == kid);
        let (_, key) = named.ok_or(Rejection::Signature)?;
        let options = VerificationOptions {
            accept_future: true,
            time_tolerance: None,
            max_token_length: Some(TOKEN_BYTES_MAX),
            artificial_time: Some(UnixTimeStamp::from_secs(
                now.saturating_sub(CLOCK_LEEWAY_SECONDS),
            )),
            ..VerificationOptions::default()
        };
        match key.verify_token::<NoCustomClaims>(token, Some(options)) {
            Ok(_) => Ok(()),
            Err(error) => Err(rejection(&error)),
        }
    }

    fn check_claims(&self, claims: Claims, now: u64) -> Result<Identity, Rejection> {
        if claims.iss != self.issuer || !claims.aud.names(&self.audience) {
            return Err(Rejection::Party);
        }
        let lifetime = claims.exp.checked_sub(claims.iat).ok_or(Rejection::Lifetime)?;
        if lifetime > LIFETIME_SECONDS {
            return Err(Rejection::Lifetime);
        }
        if claims.iat.max(claims.nbf.unwrap_or(0)) > now.saturating_add(CLOCK_LEEWAY_SECONDS) {
            return Err(Rejection::Early);
        }
        let identity = Identity {
            subject: claims.sub,
            role: Role::parse(&claims.role).ok_or(Rejection::Claims)?,
            scopes: Scopes::parse(&claims.scope).ok_or(Rejection::Claims)?,
            session: claims.sid,
            token_id: claims.jti,
            issued_at: claims.iat,
            expires_at: claims.exp,
        };
        identity.is_current(now).then_some(identity).ok_or(Rejection::Expired)
    }
}

/// What the library's refusal means in our terms.
fn rejection(error: &jwt_simple::Error) -> Rejection {
    use jwt_simple::JWTError;
    match error.downcast_ref::<JWTError>() {
        Some(JWTError::TokenHasExpired) => Rejection::Expired,
        Some(_) => Rejection::Signature,
        None => Rejection::Claims,
    }
}

/// One part of a token as JSON.
fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}
