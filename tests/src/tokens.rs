//! Tokens made by the tests, honest and forged: ward is started with a key pair the tests know, so
//! an expired or misdirected token can be signed instead of waited for.

use crate::roles;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// A signer with a key pair of its own.
#[derive(Clone)]
pub struct Forge {
    keys: KeyPair,
}

impl Forge {
    /// A signer with a fresh key pair.
    pub fn new() -> Forge {
        Forge { keys: KeyPair::from_seed(Seed::generate()) }
    }

    /// The private key as PEM (PKCS#8).
    pub fn private_pem(&self) -> String {
        self.keys.sk.to_pem()
    }

    /// The public key as PEM (SPKI).
    pub fn public_pem(&self) -> String {
        self.keys.pk.to_pem()
    }

    /// An EdDSA token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with_header(&self.header(), claims)
    }

    /// The header of a good token.
    pub fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid()})
    }

    /// The header of a good token with one member set, or taken away where `value` is null.
    pub fn header_with(&self, member: &str, value: Value) -> Value {
        let mut header = self.header();
        if let Some(members) = header.as_object_mut() {
            match value {
                Value::Null => members.remove(member),
                value => members.insert(member.to_owned(), value),
            };
        }
        header
    }

    /// The name of the key: its thumbprint, by RFC 7638 and RFC 8037.
    pub fn kid(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.keys.pk.as_ref());
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(members.as_bytes()))
    }

    /// A token with these claims and any header, signed with this key whatever the header says.
    pub fn sign_with_header(&self, header: &Value, claims: &Value) -> String {
        self.sign_texts(&header.to_string(), &claims.to_string())
    }

    /// A token of two texts that may be no JSON, or JSON that no library would write.
    pub fn sign_texts(&self, header: &str, claims: &str) -> String {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.keys.sk.sign(signed.as_bytes(), None);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A token "signed" with HMAC-SHA-256 under the text of the public key: the classic confusion
    /// of a verifier that lets the token choose the algorithm.
    pub fn sign_hs256_with_public_key(&self, claims: &Value) -> String {
        let signed = signing_input(&self.header_with("alg", "HS256".into()), claims);
        let mac = hmac_sha256::HMAC::mac(signed.as_bytes(), self.public_pem().as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// An unsigned token, `alg` as given (`none` and its spellings).
    pub fn unsigned(&self, alg: &str, claims: &Value) -> String {
        format!("{}.", signing_input(&self.header_with("alg", alg.into()), claims))
    }
}

impl Default for Forge {
    fn default() -> Forge {
        Forge::new()
    }
}

/// The claims of a good token of an ADMIN.
pub fn claims() -> Value {
    claims_of("ADMIN")
}

/// The claims of a good token of this role, and of nobody else's: fifteen minutes from now, the
/// default issuer and audience.
pub fn claims_of(role: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    json!({
        "iss": "https://ward.local/auth",
        "aud": "ward",
        "sub": Uuid::new_v4().to_string(),
        "role": role,
        "scope": roles::scope(role),
        "sid": Uuid::new_v4().to_string(),
        "jti": Uuid::new_v4().to_string(),
        "iat": now,
        "exp": now + 900,
    })
}

/// The header of a token.
pub fn header_in(token: &str) -> Value {
    part(token, 0)
}

/// The claims in a token.
pub fn claims_in(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("a token of three parts");
    let part = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&part).expect("JSON")
}

fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}
