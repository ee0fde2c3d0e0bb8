//! Where a project's cluster lives: `.ward/postgres` if the account that runs the server can get
//! there, else `/var/lib/ward/<hash of the state directory's path>/postgres`, with a file in
//! `.ward` that says so (a checkout under root's home is closed to everybody else), and one beside
//! the cluster that names its project.
//!
//! **No empty cluster is made where there may be data**: where the two files do not agree, or name
//! what is not there, this says which places there are, and the start ends.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use sha2::{Digest, Sha256};

use crate::account::{self, Account};
use crate::binaries::Installation;
use crate::command;
use crate::error::EmbeddedError;
use crate::modes::keeps_modes;

/// The parent of the clusters that cannot live beside their project.
const ELSEWHERE: &str = "/var/lib/ward";

/// The file in the state directory that names the other place.
const POINTER: &str = "postgres.location";

/// The file in the other place that names the state directory.
const PROJECT: &str = "project";

/// The directory of one cluster and of the files that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterFiles {
    /// Holds the cluster, its port and its superuser's password.
    pub(crate) home: PathBuf,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// Who runs the server.
    pub(crate) account: Option<Account>,
    /// Whether it is away from the state directory.
    pub(crate) elsewhere: bool,
}

impl ClusterFiles {
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
    // What is another's is said to be; only then is its mode looked after.
    account::choose(state)?;
    fs::create_dir_all(state).map_err(EmbeddedError::io(what()))?;
    keeps_modes(state)?;
    let create = || -> io::Result<PathBuf> {
        let mode = if account::is_root() { 0o711 } else { 0o700 };
        fs::set_permissions(state, fs::Permissions::from_mode(mode))?;
        fs::canonicalize(state)
    };
    create().map_err(EmbeddedError::io(what()))
}

/// Fails where this user could not use a state directory, or not make it: what is in one that is
/// another's can be told by its owner alone.
pub(crate) fn may_use(state: &Path) -> Result<(), EmbeddedError> {
    match fs::metadata(state) {
        Ok(_) => account::refuse_foreign(state),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let state = std::path::absolute(state).unwrap_or_else(|_| state.to_owned());
            let parent = state.ancestors().find(|path| path.exists());
            let writable = parent.map_or(Ok(()), |parent| access(parent, Access::WRITE_OK));
            writable.map_err(|error| EmbeddedError::Io {
                what: format!("making {}", state.display()),
                source: error.into(),
            })
        }
        Err(source) => {
            Err(EmbeddedError::Io { what: format!("looking at {}", state.display()), source })
        }
    }
}

/// Whether the state directory has a cluster, there or elsewhere.
pub(crate) fn has_cluster(state: &Path) -> bool {
    let Ok(state) = fs::canonicalize(state) else { return false };
    // One that cannot be read leads somewhere, too.
    let Ok(pointed) = pointed(&state) else { return true };
    let homes = [Some(elsewhere(Path::new(ELSEWHERE), &state)), pointed, Some(state)];
    homes.into_iter().flatten().any(|home| is_cluster(&data(&home)))
}

/// Where the data of a state directory is, or is about to be; nothing is made.
pub(crate) fn find(state: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    let Ok(state) = fs::canonicalize(state) else { return Ok(None) };
    Ok(match locate(Path::new(ELSEWHERE), &state)? {
        Located::Here => Some(data(&state)),
        Located::Elsewhere(home) => Some(data(&home)),
        Located::Nowhere => None,
    })
}

/// Finds or chooses the place for the cluster of `state`, an absolute path that exists.
pub(crate) fn choose(
    state: &Path,
    installation: &Installation,
) -> Result<ClusterFiles, EmbeddedError> {
    let base = Path::new(ELSEWHERE);
    match locate(base, state)? {
        Located::Here => return ClusterFiles::at(state.to_owned(), false),
        Located::Elsewhere(home) => {
            let place = ClusterFiles::at(home, true)?;
            write(&place.home.join(PROJECT), state)?;
            return Ok(place);
        }
        Located::Nowhere => {}
    }
    let here = ClusterFiles::at(state.to_owned(), false)?;
    if here.account.is_none() || reachable(state, installation, here.account)? {
        return Ok(here);
    }
    let away = elsewhere(base, state);
    fs::create_dir_all(&away)
        .and_then(|()| fs::set_permissions(&away, fs::Permissions::from_mode(0o711)))
        .map_err(EmbeddedError::io(format!("creating {}", away.display())))?;
    write(&away.join(PROJECT), state)?;
    write(&state.join(POINTER), &away)?;
    ClusterFiles::at(away, true)
}

/// Where a state directory's data is.
#[derive(Debug, PartialEq, Eq)]
enum Located {
    /// In it.
    Here,
    /// In this directory, or about to be: a first start was interrupted.
    Elsewhere(PathBuf),
    /// There is none.
    Nowhere,
}

/// Looks for the data of `state`, which may have been moved or copied since it was made.
fn locate(base: &Path, state: &Path) -> Result<Located, EmbeddedError> {
    let (own, is_here) = (elsewhere(base, state), data(state).exists());
    let Some(home) = pointed(state)? else {
        return Ok(match (is_here, data(&own).exists()) {
            (true, _) => Located::Here,
            (false, true) => Located::Elsewhere(own),
            (false, false) => noted(base, state)?.map_or(Located::Nowhere, Located::Elsewhere),
        });
    };
    let pointer = || state.join(POINTER);
    let is_there = data(&home).exists();
    if is_here && is_there {
        return Err(EmbeddedError::TwoClusters { here: data(state), there: data(&home) });
    }
    let project = named(&home.join(PROJECT));
    let is_ours = match &project {
        Some(project) => project == state || !project.exists(),
        None => home == own,
    };
    match (is_here, is_ours && home.exists()) {
        (true, _) => Ok(Located::Here),
        (false, true) => Ok(Located::Elsewhere(home)),
        (false, false) if is_there => {
            Err(EmbeddedError::DataOfAnother { pointer: pointer(), home, project })
        }
        (false, false) => Err(EmbeddedError::DataGone { pointer: pointer(), home }),
    }
}

/// The place that says that it has the data of a state directory which has no pointer any more.
fn noted(base: &Path, state: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    let places = match fs::read_dir(base) {
        Ok(places) => places,
        // What cannot be looked into is of no account that ward ran as.
        Err(_) => return Ok(None),
    };
    let homes = places.filter_map(|place| Some(place.ok()?.path()));
    let has = |home: &PathBuf| {
        data(home).exists() && named(&home.join(PROJECT)).as_deref() == Some(state)
    };
    let mut homes = homes.filter(has);
    match (homes.next(), homes.next()) {
        (Some(one), Some(other)) => {
            Err(EmbeddedError::TwoClusters { here: data(&one), there: data(&other) })
        }
        (one, _) => Ok(one),
    }
}

/// The place that a state directory's pointer names, if there is one. A machine that loses its
/// power leaves files empty: what was in it was the way to the data.
fn pointed(state: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    let pointer = state.join(POINTER);
    match fs::read_to_string(&pointer) {
        Ok(text) => path(&text).map(Some).ok_or(EmbeddedError::PointerUnread(pointer)),
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            Err(EmbeddedError::Io { what: format!("reading {}", pointer.display()), source })
        }
        Err(_) if pointer.symlink_metadata().is_ok() => Err(EmbeddedError::PointerUnread(pointer)),
        Err(_) => Ok(None),
    }
}

/// The path that a file holds.
fn named(file: &Path) -> Option<PathBuf> {
    path(&fs::read_to_string(file).ok()?)
}

fn path(text: &str) -> Option<PathBuf> {
    Some(PathBuf::from(text.trim())).filter(|path| path.is_absolute())
}

/// Makes a file hold a path. One that does already may be somebody else's, and stays.
fn write(file: &Path, path: &Path) -> Result<(), EmbeddedError> {
    if named(file).as_deref() == Some(path) {
        return Ok(());
    }
    let written = fs::write(file, format!("{}\n", path.display()));
    written.map_err(EmbeddedError::io(format!("writing {}", file.display())))
}

fn elsewhere(base: &Path, state: &Path) -> PathBuf {
    let digest = Sha256::digest(state.as_os_str().as_encoded_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    base.join(hash)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use tempfile::TempDir;

    use super::{Located, POINTER, PROJECT, elsewhere, locate};
    use crate::error::EmbeddedError;

    /// A project's state directory and the parent of all other places.
    struct Machine {
        directory: TempDir,
        base: PathBuf,
    }

    impl Machine {
        fn new() -> Machine {
            let directory = tempfile::tempdir().unwrap();
            let base = directory.path().join("lib");
            Machine { directory, base }
        }

        fn project(&self, name: &str) -> PathBuf {
            let state = self.directory.path().join(name).join(".ward");
            fs::create_dir_all(&state).unwrap();
            state
        }

        /// A project with its data elsewhere, as a start leaves it.
        fn away(&self, name: &str) -> (PathBuf, PathBuf) {
            let state = self.project(name);
            let home = elsewhere(&self.base, &state);
            fs::create_dir_all(home.join("postgres")).unwrap();
            point(&home.join(PROJECT), &state);
            point(&state.join(POINTER), &home);
            (state, home)
        }

        fn check(&self, state: &Path, expected: Located) {
            assert_eq!(locate(&self.base, state).unwrap(), expected);
        }
    }

    fn point(file: &Path, to: &Path) {
        fs::write(file, format!("{}\n", to.display())).unwrap();
    }

    #[test]
    fn data_is_found_where_it_was_left() {
        let machine = Machine::new();
        let fresh = machine.project("fresh");
        machine.check(&fresh, Located::Nowhere);
        fs::create_dir(fresh.join("postgres")).unwrap();
        machine.check(&fresh, Located::Here);
        let (state, home) = machine.away("away");
        machine.check(&state, Located::Elsewhere(home.clone()));
        // Without the pointer it is where it would be made, and with it when nothing is made yet.
        fs::remove_file(state.join(POINTER)).unwrap();
        machine.check(&state, Located::Elsewhere(home.clone()));
        point(&state.join(POINTER), &home);
        fs::remove_dir(home.join("postgres")).unwrap();
        machine.check(&state, Located::Elsewhere(home));
    }

    #[test]
    fn a_project_that_was_moved_keeps_its_data() {
        let machine = Machine::new();
        let (state, home) = machine.away("old");
        let new = machine.directory.path().join("new");
        fs::rename(state.parent().unwrap(), &new).unwrap();
        let state = new.join(".ward");
        machine.check(&state, Located::Elsewhere(home.clone()));
        // Once a start has noted that, it is found without the pointer, too.
        point(&home.join(PROJECT), &state);
        fs::remove_file(state.join(POINTER)).unwrap();
        machine.check(&state, Located::Elsewhere(home));
        let other = machine.base.join("other");
        fs::create_dir_all(other.join("postgres")).unwrap();
        point(&other.join(PROJECT), &state);
        let error = locate(&machine.base, &state).unwrap_err();
        assert!(matches!(error, EmbeddedError::TwoClusters { .. }), "{error}");
    }

    #[test]
    fn a_copy_of_a_project_does_not_get_its_data_nor_an_empty_one() {
        let machine = Machine::new();
        let (state, home) = machine.away("original");
        let copy = machine.project("copy");
        fs::copy(state.join(POINTER), copy.join(POINTER)).unwrap();
        let error = locate(&machine.base, &copy).unwrap_err();
        let (text, help) = (error.to_string(), error.help().unwrap());
        assert!(text.contains(home.to_str().unwrap()), "{text}");
        assert!(text.contains(state.to_str().unwrap()) && help.contains(POINTER), "{text}; {help}");
        // A ward that did not write down whose data it is may have left it.
        fs::remove_file(home.join(PROJECT)).unwrap();
        let error = locate(&machine.base, &copy).unwrap_err();
        assert!(error.help().unwrap().contains(PROJECT), "{error}");
    }

    #[test]
    fn data_in_two_places_is_nobodys_to_choose() {
        let machine = Machine::new();
        let (state, home) = machine.away("both");
        fs::create_dir(state.join("postgres")).unwrap();
        let error = locate(&machine.base, &state).unwrap_err();
        assert!(matches!(error, EmbeddedError::TwoClusters { .. }), "{error}");
        fs::remove_dir(state.join("postgres")).unwrap();
        fs::remove_dir_all(&home).unwrap();
        let error = locate(&machine.base, &state).unwrap_err();
        assert!(matches!(error, EmbeddedError::DataGone { .. }), "{error}");
        for text in ["", "\0\0\0\0", "postgres"] {
            fs::write(state.join(POINTER), text).unwrap();
            let error = locate(&machine.base, &state).unwrap_err();
            assert!(matches!(error, EmbeddedError::PointerUnread(_)), "{error}");
        }
        assert!(error.to_string().contains(home.to_str().unwrap()) && error.help().is_some());
    }
}
