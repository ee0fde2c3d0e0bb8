//! Wasm files by the digest of their bytes. Whatever a component is made of is copied when it is
//! first named, so that a file that is built anew changes nothing until somebody says so. What
//! was copied is checked each time it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::Sha256;

/// The SHA-256 of an artifact's bytes, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Arc<str>);

impl Digest {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex(&<Sha256 as sha2::Digest>::digest(bytes)).into())
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which artifact a name in the manifest stands for: the one seam between what a manifest says (a
/// path) and what is loaded.
pub(crate) type Sources = BTreeMap<PathBuf, Digest>;

/// Copies of artifacts, in one directory.
#[derive(Debug)]
pub(crate) struct Artifacts {
    directory: PathBuf,
}

impl Artifacts {
    /// Those in a directory that is there, and that only its owner may write to.
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Copies an artifact, where it is not there yet.
    pub(crate) fn keep(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        let path = self.path(&digest);
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(digest);
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(digest)
    }

    /// The bytes of an artifact that was kept.
    pub(crate) fn read(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        let path = self.path(digest);
        let bytes = fs::read(&path)?;
        if Digest::of(&bytes) == *digest {
            return Ok(bytes);
        }
        let problem = format!("{} is not what was copied there", path.display());
        Err(io::Error::new(io::ErrorKind::InvalidData, problem))
    }

    /// Where an artifact is kept.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{digest}.wasm"))
    }
}

/// Hexadecimal digits.
pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_and_what_was_damaged_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::new(directory.path());
        let digest = artifacts.keep(b"one").unwrap();
        assert_eq!(artifacts.keep(b"one").unwrap(), digest);
        assert_eq!(artifacts.read(&digest).unwrap(), b"one");
        fs::write(artifacts.path(&digest), b"two").unwrap();
        assert_eq!(artifacts.read(&digest).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(artifacts.keep(b"one").unwrap(), digest);
        assert_eq!(artifacts.read(&digest).unwrap(), b"one");
        let other = Digest::of(b"other");
        assert_eq!(artifacts.read(&other).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
