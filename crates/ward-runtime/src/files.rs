//! The files a component may read: a snapshot taken at load, as Spin takes one, so that a change
//! to the originals shows only after a restart and a link out of a mounted directory leads
//! nowhere. The guest sees the snapshot at `/`, read only.

use std::fs;
use std::io;
use std::path::{Component as Part, Path, PathBuf};

use glob::Pattern;
use ward_manifest::{Component, FileMount};

/// Copies the component's files below `directory` and returns where the guest's `/` is, or
/// `None` when the manifest grants no files.
pub(crate) fn snapshot(
    root: &Path,
    component: &Component,
    directory: &Path,
) -> io::Result<Option<PathBuf>> {
    if component.files.is_empty() {
        return Ok(None);
    }
    let target = directory.join(&component.id);
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    fs::create_dir_all(&target)?;
    let excluded = patterns(&component.exclude_files)?;
    for mount in &component.files {
        match mount {
            FileMount::Glob(pattern) => copy_glob(root, pattern, &excluded, &target)?,
            FileMount::Directory { source, destination } => {
                let inside = target.join(inner(destination)?);
                if source.is_file() {
                    copy_file(relative(root, source), source, &inside, &excluded)?;
                } else {
                    copy_tree(root, source, &inside, &excluded)?;
                }
            }
        }
    }
    Ok(Some(target))
}

fn patterns(globs: &[String]) -> io::Result<Vec<Pattern>> {
    globs.iter().map(|glob| Pattern::new(glob).map_err(invalid)).collect()
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

/// `/mnt/data` as `mnt/data`; a destination that climbs out is refused.
fn inner(destination: &str) -> io::Result<PathBuf> {
    let path = PathBuf::from(destination.trim_start_matches('/'));
    match path.components().all(|part| matches!(part, Part::Normal(_))) {
        true => Ok(path),
        false => Err(invalid(format!("`{destination}` is no plain path inside the guest"))),
    }
}

fn copy_glob(root: &Path, glob: &str, excluded: &[Pattern], target: &Path) -> io::Result<()> {
    let pattern = root.join(glob);
    let text = pattern.to_str().ok_or_else(|| invalid("the path is not UTF-8"))?;
    for found in glob::glob(text).map_err(invalid)? {
        let found = found.map_err(io::Error::from)?;
        let Ok(relative) = found.strip_prefix(root) else {
            return Err(invalid(format!("`{glob}` leads out of the application's directory")));
        };
        // As below, a link is left out.
        if found.symlink_metadata()?.is_file() {
            copy_file(relative, &found, &target.join(relative), excluded)?;
        }
    }
    Ok(())
}

fn copy_tree(root: &Path, from: &Path, to: &Path, excluded: &[Pattern]) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        // `file_type` does not follow links: a linked directory or file is left out, since it
        // may lead to what nobody granted.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(root, &source, &target, excluded)?;
        } else if kind.is_file() {
            copy_file(relative(root, &source), &source, &target, excluded)?;
        }
    }
    Ok(())
}

/// The path `exclude_files` is matched against.
fn relative<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

fn copy_file(relative: &Path, from: &Path, to: &Path, excluded: &[Pattern]) -> io::Result<()> {
    if excluded.iter().any(|pattern| pattern.matches_path(relative)) {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).map(drop)
}
