//! One ward per state directory. The lock is the operating system's and ends with the process, so
//! that a killed ward leaves nothing to clean up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::error::EmbeddedError;

/// The exclusive right to a state directory, until it is dropped.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes the lock of `state`, a directory that exists, or says which process has it.
    pub fn acquire(state: &Path) -> Result<Self, EmbeddedError> {
        let path = state.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(EmbeddedError::io(format!("opening {}", path.display())))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(state, file)),
            Err(TryLockError::Error(source)) => {
                return Err(EmbeddedError::Io {
                    what: format!("locking {}", path.display()),
                    source,
                });
            }
        }
        // The number is only for the message above; the lock itself does not depend on it.
        file.set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(EmbeddedError::io(format!("writing {}", path.display())))?;
        Ok(Self { _file: file })
    }
}

fn locked(state: &Path, mut file: File) -> EmbeddedError {
    let mut owner = String::new();
    if file.read_to_string(&mut owner).is_err() || owner.is_empty() {
        owner = "unknown".to_owned();
    }
    EmbeddedError::Locked { state: state.to_owned(), owner }
}

#[cfg(test)]
mod tests {
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
}
