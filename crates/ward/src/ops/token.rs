//! The operators' token: a secret of this installation's, made when there is none, for what may
//! look into the application and replace its parts. It is no token of a user's.

use std::fs;
use std::path::{Path, PathBuf};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use ward_embedded::generate_password;

use super::answers::Problem;
use crate::failure::Failure;
use crate::secrets::write_private;

/// Gives the token, in the place of the one in the state directory.
pub(crate) const VARIABLE: &str = "WARD_OPS_TOKEN";

/// What a token has to be known by: its digest, so that comparing tells nothing of it.
pub(crate) struct Token(Vec<u8>);

impl Token {
    /// The one that is given or kept, or one that is made now.
    pub(crate) fn load_or_generate(state: &Path) -> Result<Self, Failure> {
        let text = match find(state)? {
            Some(text) => text,
            None => {
                let made = generate_password();
                write_private(&file(state), &format!("{made}\n"))?;
                made
            }
        };
        Ok(Self(digest(&text)))
    }

    /// Whether whoever sends these may go on.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::Token);
        };
        let bearer = value.to_str().ok().and_then(|text| text.split_once(' '));
        let given = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let is_it = given.is_some_and(|(_, token)| digest(token.trim()) == self.0);
        if is_it { Ok(()) } else { Err(Problem::Token) }
    }
}

/// The token that is given, or kept; `None` where there is none.
pub(crate) fn find(state: &Path) -> Result<Option<String>, Failure> {
    let given = std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty());
    if let Some(given) = given {
        return Ok(Some(given.trim().to_owned()));
    }
    let path = file(state);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => {
            Err(Failure::new(format!("{} is empty", path.display()))
                .help("remove it, and another is made at the next start"))
        }
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
    }
}

/// Where it is kept.
pub(crate) fn file(state: &Path) -> PathBuf {
    state.join("ops-token")
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_kept_private_and_no_other_is_let_in() {
        let state = tempfile::tempdir().unwrap();
        let token = Token::load_or_generate(state.path()).unwrap();
        let text = fs::read_to_string(file(state.path())).unwrap();
        let mode = fs::metadata(file(state.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Token::load_or_generate(state.path()).unwrap();
        assert_eq!(again.0, token.0);
        let admits = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            token.admit(&headers).is_ok()
        };
        let right = format!("Bearer {}", text.trim());
        assert!(admits(&[&right]));
        assert!(admits(&[&right.replace("Bearer", "bearer")]));
        assert!(!admits(&[]));
        assert!(!admits(&[&right, &right]));
        assert!(!admits(&["Bearer "]));
        assert!(!admits(&[text.trim()]));
        assert!(!admits(&[&format!("{right}x")]));
    }

    #[test]
    fn an_empty_file_is_no_token() {
        let state = tempfile::tempdir().unwrap();
        fs::write(file(state.path()), "\n").unwrap();
        assert!(Token::load_or_generate(state.path()).is_err());
    }
}
