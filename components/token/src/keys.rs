//! Public keys and their names. A token names the key that signed it by `kid`, which follows from
//! the key itself (RFC 7638's thumbprint of RFC 8037's form): nobody chooses a name, so two keys
//! never share one, and a name leads to a key that is configured or to none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::Ed25519PublicKey;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::KeyError;

/// Most keys at a time. A rotation with overlap has two, or three if it is repeated in a hurry.
const KEYS_MAX: usize = 8;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// A public key as RFC 8037 publishes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    r#use: &'static str,
    kid: String,
    x: String,
}

/// All keys that tokens may be signed with, as a document for whoever verifies them elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySet {
    keys: Vec<Jwk>,
}

impl KeySet {
    /// The set of the keys in a text of PEM blocks.
    ///
    /// # Errors
    /// [`KeyError`] when there is no key in it, or something else.
    pub fn new(public_keys_pem: &str) -> Result<Self, KeyError> {
        let keys = public_keys(public_keys_pem)?;
        let published = |key: &Ed25519PublicKey| Jwk {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            r#use: "sig",
            kid: id(key),
            x: URL_SAFE_NO_PAD.encode(key.to_bytes()),
        };
        Ok(Self { keys: keys.iter().map(published).collect() })
    }
}

/// The name of a key.
pub(crate) fn id(key: &Ed25519PublicKey) -> String {
    let x = URL_SAFE_NO_PAD.encode(key.to_bytes());
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members.as_bytes()))
}

/// The keys in a text of one PEM block (SubjectPublicKeyInfo) or several after one another, and
/// nothing else: whoever only verifies must not hold a private key, so that mistake is not worked
/// around.
pub(crate) fn public_keys(text: &str) -> Result<Vec<Ed25519PublicKey>, KeyError> {
    let blocks = text.trim().split_inclusive(END).map(str::trim);
    let key = |block: &str| match block.starts_with(BEGIN) {
        true => Ed25519PublicKey::from_pem(block).map_err(|_| KeyError),
        false => Err(KeyError),
    };
    let keys = blocks.map(key).collect::<Result<Vec<_>, _>>()?;
    if (1..=KEYS_MAX).contains(&keys.len()) { Ok(keys) } else { Err(KeyError) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jwt_simple::algorithms::Ed25519KeyPair;

    fn pem() -> String {
        Ed25519KeyPair::generate().public_key().to_pem()
    }

    /// The key and the thumbprint of RFC 8037's appendix A.
    #[test]
    fn names_are_thumbprints() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = Ed25519PublicKey::from_bytes(&URL_SAFE_NO_PAD.decode(x).unwrap()).unwrap();
        assert_eq!(id(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let set = serde_json::to_value(KeySet::new(&key.to_pem()).unwrap()).unwrap();
        let expected = serde_json::json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "x": x,
        }]});
        assert_eq!(set, expected);
    }

    #[test]
    fn one_block_or_several_and_nothing_else() {
        let (one, two) = (pem(), pem());
        let private = Ed25519KeyPair::generate().to_pem();
        let count = |text: &str| public_keys(text).map(|keys| keys.len());
        assert_eq!(count(&one), Ok(1));
        assert_eq!(count(&format!("\n{one}\r\n\n{two}  ")), Ok(2));
        assert_eq!(count(&one.repeat(KEYS_MAX)), Ok(KEYS_MAX));
        let tail = format!("{one}x");
        let mixed = format!("{one}{private}");
        let many = one.repeat(KEYS_MAX + 1);
        for text in ["", " ", "key", &private, &mixed, &tail, &format!("x{one}"), &many] {
            assert_eq!(count(text), Err(KeyError), "{text}");
        }
    }
}
