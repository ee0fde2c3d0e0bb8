//! The Ed25519 pair that signs and verifies tokens, made once per state directory. Given keys
//! always win; these are for starting without any configuration.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use jwt_simple::algorithms::Ed25519KeyPair;

use crate::failure::Failure;
use crate::secrets::write_private;

/// The variable that carries the private key.
pub(crate) const PRIVATE: &str = "jwt_private_key";

/// The variable that carries the public key.
pub(crate) const PUBLIC: &str = "jwt_public_key";

/// Both variables with their PEM texts. Only the private key is kept; the public one follows from
/// it, so the two cannot fall apart.
pub(crate) fn load_or_generate(state: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let path = state.join("jwt_private_key.pem");
    let pair = match fs::read_to_string(&path) {
        Ok(pem) => Ed25519KeyPair::from_pem(&pem).map_err(|_| {
            Failure::new(format!("{}: is not an Ed25519 private key in PEM form", path.display()))
                .help("restore it, or remove it to have a new pair made (logins start over)")
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pair = Ed25519KeyPair::generate();
            write_private(&path, &pair.to_pem())?;
            pair
        }
        Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
    };
    Ok(BTreeMap::from([
        (PRIVATE.to_owned(), pair.to_pem()),
        (PUBLIC.to_owned(), pair.public_key().to_pem()),
    ]))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use jwt_simple::prelude::{
        Claims, Duration, Ed25519KeyPair, Ed25519PublicKey, EdDSAKeyPairLike, EdDSAPublicKeyLike,
        NoCustomClaims,
    };

    use super::{PRIVATE, PUBLIC, load_or_generate};

    #[test]
    fn the_pair_signs_and_verifies_and_is_made_once() {
        let state = tempfile::tempdir().unwrap();
        let keys = load_or_generate(state.path()).unwrap();
        let private = Ed25519KeyPair::from_pem(&keys[PRIVATE]).unwrap();
        let public = Ed25519PublicKey::from_pem(&keys[PUBLIC]).unwrap();
        let token = private.sign(Claims::create(Duration::from_mins(1))).unwrap();
        public.verify_token::<NoCustomClaims>(&token, None).unwrap();
        assert_eq!(load_or_generate(state.path()).unwrap(), keys);
        let mode = fs::metadata(state.path().join("jwt_private_key.pem")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
