//! Whether a file system keeps the modes of files. One that does not (a Windows or FAT drive, some
//! network shares and mounts of virtual machines) lets everybody read the passwords, and PostgreSQL
//! refuses it in words that do not say so.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::error::EmbeddedError;

/// A mode of nobody's default, and what a directory of PostgreSQL's has to have.
const MODES: [u32; 2] = [0o711, 0o700];

/// Looks at what becomes of the modes of a directory that is made in `directory` for it. Where none
/// can be made, that is for others to say.
pub fn keeps_modes(directory: &Path) -> Result<(), EmbeddedError> {
    let probe = directory.join(format!(".ward-probe-{}", std::process::id()));
    if fs::DirBuilder::new().mode(0o700).create(&probe).is_err() {
        return Ok(());
    }
    let kept = MODES.map(|mode| kept(&probe, mode));
    // Empty, and ours.
    drop(fs::remove_dir(&probe));
    match kept.iter().all(|kept| *kept) {
        true => Ok(()),
        false => Err(EmbeddedError::NoModes(directory.to_owned())),
    }
}

fn kept(path: &Path, mode: u32) -> bool {
    judge(fs::set_permissions(path, Permissions::from_mode(mode)), fs::metadata(path), mode)
}

/// Some refuse to change a mode, others say that they did.
fn judge(set: io::Result<()>, found: io::Result<fs::Metadata>, mode: u32) -> bool {
    set.is_ok() && found.is_ok_and(|found| found.permissions().mode() & 0o777 == mode)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::PermissionsExt;

    use super::{judge, keeps_modes};

    #[test]
    fn a_mode_that_is_refused_or_ignored_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        keeps_modes(path).unwrap();
        assert_eq!(fs::read_dir(path).unwrap().count(), 0, "it leaves nothing");
        keeps_modes(&path.join("nothing")).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        assert!(judge(Ok(()), fs::metadata(path), 0o755));
        assert!(!judge(Ok(()), fs::metadata(path), 0o700), "ignored");
        let refused = Err(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(!judge(refused, fs::metadata(path), 0o755), "refused");
    }
}
