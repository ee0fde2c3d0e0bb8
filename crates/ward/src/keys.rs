//! Ed25519 pairs for variables that the manifest names, each made once per state directory. Given
//! keys always win; these are for starting without any configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

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

/// Both variables with their PEM texts. Only the private key is kept, in a file of its variable's
/// name; the public one follows from it, so the two cannot fall apart.
fn load_or_generate(state: &Path, pair: &KeyPair) -> Result<[(String, String); 2], Failure> {
    let path = state.join(format!("{}.pem", pair.private_key));
    let keys = match fs::read_to_string(&path) {
        Ok(pem) => Ed25519KeyPair::from_pem(&pem).map_err(|_| {
            Failure::new(format!("{}: is not an Ed25519 private key in PEM form", path.display()))
                .help("restore it, or remove it to have a new pair made")
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let keys = Ed25519KeyPair::generate();
            write_private(&path, &keys.to_pem())?;
            keys
        }
        Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
    };
    Ok([
        (pair.private_key.clone(), keys.to_pem()),
        (pair.public_key.clone(), keys.public_key().to_pem()),
    ])
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

    use super::load_or_generate_all;

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
