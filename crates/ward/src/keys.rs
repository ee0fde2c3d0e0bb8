//! Ed25519 pairs for variables that the manifest names, each made once per state directory. Given
//! keys always win; these are for starting without any configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jwt_simple::algorithms::Ed25519KeyPair;
use ward_manifest::KeyPair;

use crate::application::Application;
use crate::failure::Failure;
use crate::secrets::write_private;

/// The variables of all pairs.
pub(crate) fn variables(application: &Application) -> impl Iterator<Item = String> {
    let pairs = application.app.settings.key_pairs.iter();
    pairs.flat_map(|pair| [pair.private_key.clone(), pair.public_key.clone()])
}

/// The pairs that nobody gave. Half of one is refused: what is signed with a key that was made here
/// could not be verified with one from elsewhere.
pub(crate) fn missing<'a>(
    application: &'a Application,
    given: &BTreeSet<String>,
) -> Result<Vec<&'a KeyPair>, Failure> {
    let mut missing = Vec::new();
    for pair in &application.app.settings.key_pairs {
        let KeyPair { private_key, public_key } = pair;
        let (there, absent) = match (given.contains(private_key), given.contains(public_key)) {
            (true, false) => (private_key, public_key),
            (false, true) => (public_key, private_key),
            (both, _) => {
                missing.extend(Some(pair).filter(|_| !both));
                continue;
            }
        };
        let text = format!("`{there}` was given and `{absent}`, which belongs to it, was not");
        return Err(Failure::new(text).help("give both, or neither to have a pair made"));
    }
    Ok(missing)
}

/// The variables of the pairs with their PEM texts.
pub(crate) fn load_or_generate_all(
    state: &Path,
    pairs: &[&KeyPair],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut values = BTreeMap::new();
    for pair in pairs {
        values.extend(load_or_generate(state, pair)?);
    }
    Ok(values)
}

/// Both variables with their PEM texts: the private key that signs, and the public ones of all.
/// Only private keys are kept, in a file of their variable's name, the one that signs first; the
/// public ones follow from them, so the two cannot fall apart.
fn load_or_generate(state: &Path, pair: &KeyPair) -> Result<[(String, String); 2], Failure> {
    let path = file(state, pair);
    let mut keys = load(&path)?;
    if keys.is_empty() {
        keys.push(Ed25519KeyPair::generate());
        save(&path, &keys)?;
    }
    let first = keys.first().map(Ed25519KeyPair::to_pem).unwrap_or_default();
    let public = keys.iter().map(|keys| with_newline(keys.public_key().to_pem())).collect();
    Ok([(pair.private_key.clone(), first), (pair.public_key.clone(), public)])
}

/// Has another key sign from the next start on. What the last one signed can still be verified,
/// and what the one before it signed no longer.
pub(crate) fn rotate(state: &Path, pair: &KeyPair) -> Result<(), Failure> {
    let path = file(state, pair);
    let old = load(&path)?.into_iter().take(1);
    let keys: Vec<_> = std::iter::once(Ed25519KeyPair::generate()).chain(old).collect();
    save(&path, &keys)
}

fn file(state: &Path, pair: &KeyPair) -> PathBuf {
    state.join(format!("{}.pem", pair.private_key))
}

/// How each private key in a file begins and ends. Its public one may stand behind it.
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The keys in a file; none where there is no file.
fn load(path: &Path) -> Result<Vec<Ed25519KeyPair>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
    };
    let key = |behind: &str| {
        let (inside, _) = behind.split_once(END)?;
        Ed25519KeyPair::from_pem(&format!("{BEGIN}{inside}{END}\n")).ok()
    };
    let keys: Option<Vec<_>> = text.split(BEGIN).skip(1).map(key).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
        Failure::new(format!("{}: is not an Ed25519 private key in PEM form", path.display()))
            .help("restore it, or remove it to have a new pair made")
    })
}

fn save(path: &Path, keys: &[Ed25519KeyPair]) -> Result<(), Failure> {
    let text: String = keys.iter().map(|keys| with_newline(keys.to_pem())).collect();
    write_private(path, &text)
}

fn with_newline(pem: String) -> String {
    format!("{}\n", pem.trim_end())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use jwt_simple::prelude::{
        Claims, Duration, Ed25519KeyPair, Ed25519PublicKey, EdDSAKeyPairLike, EdDSAPublicKeyLike,
        NoCustomClaims,
    };
    use ward_manifest::KeyPair;

    use super::{load_or_generate_all, rotate};

    #[test]
    fn rotation_has_overlap_with_the_last_key_and_no_other() {
        let state = tempfile::tempdir().unwrap();
        let pair = KeyPair { private_key: "private".to_owned(), public_key: "public".to_owned() };
        let load = || load_or_generate_all(state.path(), &[&pair]).unwrap();
        let public = |keys: &std::collections::BTreeMap<String, String>| {
            let private = Ed25519KeyPair::from_pem(&keys["private"]).unwrap();
            private.public_key().to_pem().trim_end().to_owned()
        };
        let all = [(); 3].map(|()| {
            let keys = load();
            rotate(state.path(), &pair).unwrap();
            keys
        });
        let signers = all.each_ref().map(public);
        assert_eq!(all[0]["public"], format!("{}\n", signers[0]));
        assert_eq!(all[1]["public"], format!("{}\n{}\n", signers[1], signers[0]));
        assert_eq!(all[2]["public"], format!("{}\n{}\n", signers[2], signers[1]));
        let mode = fs::metadata(state.path().join("private.pem")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        fs::write(state.path().join("private.pem"), "not a key").unwrap();
        assert!(rotate(state.path(), &pair).is_err(), "what cannot be read is not written over");
    }

    #[test]
    fn each_pair_signs_and_verifies_and_is_made_once() {
        let state = tempfile::tempdir().unwrap();
        let pair = |name: &str| KeyPair {
            private_key: format!("{name}_private"),
            public_key: format!("{name}_public"),
        };
        let (one, two) = (pair("one"), pair("two"));
        let keys = load_or_generate_all(state.path(), &[&one, &two]).unwrap();
        assert_ne!(keys["one_public"], keys["two_public"]);
        let private = Ed25519KeyPair::from_pem(&keys["one_private"]).unwrap();
        let public = Ed25519PublicKey::from_pem(&keys["one_public"]).unwrap();
        let token = private.sign(Claims::create(Duration::from_mins(1))).unwrap();
        public.verify_token::<NoCustomClaims>(&token, None).unwrap();
        assert_eq!(load_or_generate_all(state.path(), &[&two, &one]).unwrap(), keys);
        let mode = fs::metadata(state.path().join("one_private.pem")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
