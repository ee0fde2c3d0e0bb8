//! Where a project's cluster lives: `.ward/postgres` if the account that runs the server can get
//! there, else `/var/lib/ward/<hash of the state directory's path>/postgres`, with a file in
//! `.ward` that says so (a checkout under root's home is closed to everybody else).

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::account::{self, Account};
use crate::binaries::Installation;
use crate::command;
use crate::error::EmbeddedError;

/// The parent of the clusters that cannot live beside their project.
const ELSEWHERE: &str = "/var/lib/ward";

/// The file in the state directory that names the other place.
const POINTER: &str = "postgres.location";

/// The directory of one cluster and of the files that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Holds the cluster, its port and its superuser's password.
    pub(crate) home: PathBuf,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// Who runs the server.
    pub(crate) account: Option<Account>,
    /// Whether it is away from the state directory.
    pub(crate) elsewhere: bool,
}

impl Place {
    fn at(home: PathBuf, elsewhere: bool) -> Result<Self, EmbeddedError> {
        let data = data(&home);
        let account = account::choose(&data)?;
        Ok(Self { home, data, account, elsewhere })
    }

    /// Whether there is a cluster already.
    pub(crate) fn is_initialised(&self) -> bool {
        is_cluster(&self.data)
    }
}

fn data(home: &Path) -> PathBuf {
    home.join("postgres")
}

fn is_cluster(data: &Path) -> bool {
    data.join("PG_VERSION").exists()
}

/// Makes the state directory: private, but for root passable, so that the server's user can reach
/// its data inside.
pub(crate) fn create_state(state: &Path) -> Result<PathBuf, EmbeddedError> {
    let what = || format!("creating {}", state.display());
    let create = || -> io::Result<PathBuf> {
        fs::create_dir_all(state)?;
        let mode = if account::is_root() { 0o711 } else { 0o700 };
        fs::set_permissions(state, fs::Permissions::from_mode(mode))?;
        fs::canonicalize(state)
    };
    create().map_err(EmbeddedError::io(what()))
}

/// Whether the state directory has a cluster, there or elsewhere.
pub(crate) fn has_cluster(state: &Path) -> bool {
    let Ok(state) = fs::canonicalize(state) else { return false };
    let homes = [elsewhere(&state), state];
    homes.iter().any(|home| is_cluster(&data(home)))
}

/// Finds or chooses the place for the cluster of `state`, an absolute path that exists.
pub(crate) fn choose(state: &Path, installation: &Installation) -> Result<Place, EmbeddedError> {
    let here = Place::at(state.to_owned(), false)?;
    if here.is_initialised() || here.account.is_none() {
        return Ok(here);
    }
    let away = elsewhere(state);
    let pointer = state.join(POINTER);
    // A pointer copied along with a project names another project's data: only our own counts.
    let pointed = fs::read_to_string(&pointer).is_ok_and(|text| Path::new(text.trim()) == away);
    if !pointed && reachable(state, installation, here.account)? {
        return Ok(here);
    }
    fs::create_dir_all(&away)
        .and_then(|()| fs::set_permissions(&away, fs::Permissions::from_mode(0o711)))
        .map_err(EmbeddedError::io(format!("creating {}", away.display())))?;
    fs::write(&pointer, format!("{}\n", away.display()))
        .map_err(EmbeddedError::io(format!("writing {}", pointer.display())))?;
    Place::at(away, true)
}

fn elsewhere(state: &Path) -> PathBuf {
    let digest = Sha256::digest(state.as_os_str().as_encoded_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Path::new(ELSEWHERE).join(hash)
}

/// Asks the kernel rather than reading permission bits: starts a program of PostgreSQL's as the
/// account, inside the directory. The account is in force before the directory is entered.
fn reachable(
    state: &Path,
    installation: &Installation,
    account: Option<Account>,
) -> Result<bool, EmbeddedError> {
    let mut probe = command::program(installation, "postgres", account);
    probe.arg("--version").current_dir(state);
    match probe.output() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(source) => Err(EmbeddedError::Io { what: "running postgres".to_owned(), source }),
    }
}

/// Makes an empty directory that only the account may enter.
pub(crate) fn private_directory(
    path: &Path,
    account: Option<Account>,
) -> Result<(), EmbeddedError> {
    let create = || -> io::Result<()> {
        fs::create_dir(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        account.map_or(Ok(()), |Account { uid, gid }| chown(path, Some(uid), Some(gid)))
    };
    create().map_err(EmbeddedError::io(format!("creating {}", path.display())))
}
