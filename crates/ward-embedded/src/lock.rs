//! One ward per state directory. The lock is the operating system's and ends with the process, so
//! that a killed ward leaves nothing to clean up.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::process::{Pid, test_kill_process};

use crate::error::EmbeddedError;

/// In the state directory.
const FILE: &str = "lock";

/// The lock's mode: whoever can open it for reading can lock it.
const MODE: u32 = 0o600;

/// What of a mode is for others than the owner.
const OTHERS: u32 = 0o077;

/// What of a directory's mode lets others put something else in a file's place.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// How often a lock is made anew that somebody else keeps replacing.
const ATTEMPTS: usize = 16;

/// The exclusive right to a state directory, until it is dropped.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes the lock of `state`, a directory that exists, or says which process has it. A lock
    /// that other users could open, as earlier versions made it, is closed to them, and made anew
    /// where one of them has it.
    pub fn acquire(state: &Path) -> Result<Self, EmbeddedError> {
        let path = state.join(FILE);
        close_directory(state)
            .map_err(EmbeddedError::io(format!("closing {} to others", state.display())))?;
        for _ in 0..ATTEMPTS {
            let mut file =
                open(&path).map_err(EmbeddedError::io(format!("opening {}", path.display())))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if is_strangers(&mut file) => {
                    tracing::warn!(lock = %path.display(), "another user had the lock; a new one \
                        is made");
                    fs::remove_file(&path)
                        .map_err(EmbeddedError::io(format!("removing {}", path.display())))?;
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Err(locked(state)),
                Err(TryLockError::Error(source)) => {
                    return Err(EmbeddedError::Io {
                        what: format!("locking {}", path.display()),
                        source,
                    });
                }
            }
            // Another ward may have made a new one between our opening and locking the old.
            if is_at(&file, &path) {
                return Self::of(file)
                    .map_err(EmbeddedError::io(format!("writing {}", path.display())));
            }
        }
        Err(EmbeddedError::Locked { state: state.to_owned(), owner: "unknown".to_owned() })
    }

    /// Fails where somebody has the lock of `state`. Makes none where there is none yet: it would
    /// be ours, and the next ward's may be another user's.
    pub fn is_free(state: &Path) -> Result<(), EmbeddedError> {
        match state.join(FILE).exists() {
            true => Self::acquire(state).map(drop),
            false => Ok(()),
        }
    }

    /// Closes the locked file to others, and writes our number into it, which is only for the
    /// message; the lock itself does not depend on it.
    fn of(mut file: File) -> io::Result<Self> {
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path)
}

/// Takes the right to write from others, who could put a lock of their own there.
fn close_directory(state: &Path) -> io::Result<()> {
    let mode = fs::metadata(state)?.permissions().mode();
    match mode & WRITABLE_BY_OTHERS {
        0 => Ok(()),
        _ => fs::set_permissions(state, Permissions::from_mode(mode & !WRITABLE_BY_OTHERS)),
    }
}

/// Whether the lock may be held by another user: the file was open to them, and the ward that it
/// names is gone.
fn is_strangers(file: &mut File) -> bool {
    let is_open = file.metadata().is_ok_and(|metadata| metadata.mode() & OTHERS != 0);
    let owner = read(file).and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    is_open && owner.is_none_or(|pid| test_kill_process(pid).is_err())
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => place(ours) == place(there),
        _ => false,
    }
}

fn read(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    Some(text)
}

fn locked(state: &Path) -> EmbeddedError {
    let mut owner = String::new();
    let read = File::open(state.join(FILE)).and_then(|mut file| file.read_to_string(&mut owner));
    if read.is_err() || owner.is_empty() {
        owner = "unknown".to_owned();
    }
    EmbeddedError::Locked { state: state.to_owned(), owner }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::StateLock;
    use crate::EmbeddedError;

    #[test]
    fn the_second_is_told_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateLock::acquire(directory.path()).unwrap();
        let Err(EmbeddedError::Locked { owner, .. }) = StateLock::acquire(directory.path()) else {
            panic!("two owners");
        };
        assert_eq!(owner, std::process::id().to_string());
        drop(first);
        StateLock::acquire(directory.path()).unwrap();
    }

    /// A lock as it was made before, with `owner` in it, locked by somebody who can read it.
    fn taken(directory: &std::path::Path, mode: u32, owner: &str) -> File {
        let path = directory.join("lock");
        fs::write(&path, owner).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let stranger = File::open(&path).unwrap();
        stranger.lock().unwrap();
        stranger
    }

    #[test]
    fn nobody_else_can_open_it_and_who_has_it_open_does_not_keep_it() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path();
        fs::set_permissions(state, Permissions::from_mode(0o777)).unwrap();
        // No process has that number.
        for owner in ["", "999999999", "nonsense"] {
            let _stranger = taken(state, 0o644, owner);
            let lock = StateLock::acquire(state).unwrap();
            let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(state.join("lock")), mode(state.to_owned())), (0o600, 0o755));
            assert!(StateLock::acquire(state).is_err(), "two owners after {owner:?}");
            drop(lock);
            fs::remove_file(state.join("lock")).unwrap();
        }
    }

    #[test]
    fn a_ward_that_lives_keeps_it_whatever_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let own = std::process::id().to_string();
        let _old = taken(directory.path(), 0o644, &own);
        let Err(EmbeddedError::Locked { owner, .. }) = StateLock::acquire(directory.path()) else {
            panic!("two owners");
        };
        assert_eq!(owner, own);
    }
}
