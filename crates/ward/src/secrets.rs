//! `secrets.toml` in the state directory: the password and address of each service's database role.
//! Made with the roles, readable by its owner only, and never printed or logged.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ward_embedded::generate_password;

use crate::failure::Failure;

const HEADER: &str =
    "# Passwords of the services' database roles, made by ward. Keep it private.\n";

/// What ward remembers of its databases.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets {
    /// By database name.
    #[serde(default)]
    databases: BTreeMap<String, DatabaseSecret>,
    #[serde(skip)]
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseSecret {
    password: String,
    /// The address of the last start, for `psql`.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl Secrets {
    /// Reads the file of a state directory; no file is an empty one.
    pub(crate) fn load(state: &Path) -> Result<Self, Failure> {
        let path = state.join("secrets.toml");
        let mut secrets: Self = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
            // The parser's message would quote the text, which is secret.
            Ok(text) => toml::from_str(&text).map_err(|_| {
                Failure::new(format!("{}: is not what ward wrote", path.display()))
                    .help("restore it, or remove it to have new passwords made")
            })?,
        };
        secrets.path = path;
        Ok(secrets)
    }

    /// The password of a role, made and saved on first use: it is on disk before it is in force.
    pub(crate) fn password(&mut self, database: &str) -> Result<String, Failure> {
        if let Some(known) = self.databases.get(database) {
            return Ok(known.password.clone());
        }
        let password = generate_password();
        let secret = DatabaseSecret { password: password.clone(), url: None };
        self.databases.insert(database.to_owned(), secret);
        self.save()?;
        Ok(password)
    }

    /// Remembers where a database was last reached.
    pub(crate) fn remember_url(&mut self, database: &str, url: &str) -> Result<(), Failure> {
        match self.databases.get_mut(database) {
            Some(secret) if secret.url.as_deref() != Some(url) => {
                secret.url = Some(url.to_owned());
                self.save()
            }
            _ => Ok(()),
        }
    }

    /// Where a database was last reached.
    pub(crate) fn url(&self, database: &str) -> Option<&str> {
        self.databases.get(database)?.url.as_deref()
    }

    fn save(&self) -> Result<(), Failure> {
        let text = toml::to_string(self).map_err(Failure::because(self.path.display()))?;
        write_private(&self.path, &format!("{HEADER}{text}"))
    }
}

/// Writes a file that only its owner may read. It appears whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let staging = path.with_extension("new");
    let write = || -> io::Result<()> {
        match fs::remove_file(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staging)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&staging, path)
    };
    write().map_err(Failure::because(format!("writing {}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::Secrets;

    #[test]
    fn passwords_are_kept_and_private() {
        let state = tempfile::tempdir().unwrap();
        let password = Secrets::load(state.path()).unwrap().password("auth").unwrap();
        let mut again = Secrets::load(state.path()).unwrap();
        assert_eq!(again.password("auth").unwrap(), password);
        assert_ne!(again.password("shop").unwrap(), password);
        again.remember_url("auth", "postgres://auth:x@127.0.0.1:1/auth").unwrap();
        let path = state.path().join("secrets.toml");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Secrets::load(state.path()).unwrap().password("auth").unwrap(), password);
    }

    #[test]
    fn a_broken_file_is_not_quoted() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("secrets.toml"), "password = hunter2").unwrap();
        let failure = Secrets::load(state.path()).err().unwrap();
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
}
