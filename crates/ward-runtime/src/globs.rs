//! What a glob of a manifest finds: files below the application, by one part of the path after the
//! other. A `**` goes through directories and not through links to them, or two links that lead
//! back would be gone round in all orders; a link that a later part names is found as it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glob::Pattern;

/// One part of a glob between two `/`.
enum Part {
    /// `**`: any directories, or none.
    Deep,
    /// One name.
    Name(Pattern),
}

/// The files, and links whatever they lead to, that `glob` names below `root`; relative, and in
/// order. A directory is none.
pub(crate) fn find(root: &Path, glob: &Path) -> Result<Vec<PathBuf>, String> {
    let parts = glob.iter().map(|part| match part.to_str() {
        Some("**") => Ok(Part::Deep),
        text => Pattern::new(text.unwrap_or_default()).map(Part::Name),
    });
    let parts = parts.collect::<Result<Vec<_>, _>>();
    let parts = parts.map_err(|error| format!("is no glob: {}", error.msg))?;
    let mut found = Vec::new();
    walk(root, Path::new(""), &parts, &mut found)
        .map_err(|error| format!("cannot be read: {error}"))?;
    // As in Spin a glob is of files. A directory that is linked is one of those that `**` would go
    // through if it were no link.
    let is_deep = parts.iter().any(|part| matches!(part, Part::Deep));
    found.retain(|file| is_deep || !root.join(file).is_dir());
    found.sort();
    found.dedup();
    Ok(found)
}

/// Adds what the parts that are left name below `at`.
fn walk(root: &Path, at: &Path, parts: &[Part], found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some((part, rest)) = parts.split_first() else { return Ok(()) };
    if matches!(part, Part::Deep) {
        walk(root, at, rest, found)?;
    }
    for entry in fs::read_dir(root.join(at))? {
        let entry = entry?;
        let (kind, below) = (entry.file_type()?, at.join(entry.file_name()));
        match part {
            Part::Deep if kind.is_dir() => walk(root, &below, parts, found)?,
            // A `**` at the end is of directories, which are no files.
            Part::Deep => {}
            Part::Name(name) if !name.matches(&entry.file_name().to_string_lossy()) => {}
            Part::Name(_) if rest.is_empty() && !kind.is_dir() => found.push(below),
            Part::Name(_) if root.join(&below).is_dir() => walk(root, &below, rest, found)?,
            Part::Name(_) => {}
        }
    }
    Ok(())
}
