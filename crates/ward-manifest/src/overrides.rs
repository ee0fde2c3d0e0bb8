//! `--variable`: `NAME=VALUE`, `NAME=@FILE` (the file's text), `@FILE.json` or `@FILE.toml` (names
//! and values), as `spin up` reads them. Values never appear in errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::finding::mask_credentials;
use crate::names::variable_name_flaw;

/// A `--variable` that cannot be used. The texts name the option and files, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// Neither `NAME=…` nor `@FILE`.
    #[error("a variable is given as NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml")]
    Shape,
    /// The part before `=` is no variable name.
    #[error("`{name}` is no variable name: {flaw}")]
    Name {
        /// What stood before the `=`.
        name: String,
        /// Why it is no name.
        flaw: &'static str,
    },
    /// A file of names and values that is neither JSON nor TOML by its name.
    #[error("{}: a file of variables ends in .json or .toml", .0.display())]
    Kind(PathBuf),
    /// A file that cannot be read.
    #[error("{}: cannot be read ({kind})", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        kind: std::io::ErrorKind,
    },
    /// A file that is not a table of names to strings.
    #[error("{}: must hold one table of variable names to strings", .0.display())]
    Content(PathBuf),
}

/// Reads each `--variable` in order; a later one wins over an earlier one.
pub fn read_overrides<S: AsRef<str>>(
    options: impl IntoIterator<Item = S>,
) -> Result<BTreeMap<String, String>, OverrideError> {
    let mut values = BTreeMap::new();
    for option in options {
        read_one(option.as_ref(), &mut values)?;
    }
    Ok(values)
}

fn read_one(option: &str, values: &mut BTreeMap<String, String>) -> Result<(), OverrideError> {
    if let Some(file) = option.strip_prefix('@') {
        values.extend(read_file(Path::new(file))?);
        return Ok(());
    }
    let (name, value) = option.split_once('=').ok_or(OverrideError::Shape)?;
    check_name(name)?;
    let value = match value.strip_prefix('@') {
        Some(file) => read_text(Path::new(file))?,
        None => value.to_owned(),
    };
    values.insert(name.to_owned(), value);
    Ok(())
}

fn read_file(file: &Path) -> Result<BTreeMap<String, String>, OverrideError> {
    // The parsers' errors quote the text, so what they say is left out.
    let content = || OverrideError::Content(file.to_owned());
    let values: BTreeMap<String, String> = match file.extension().and_then(|e| e.to_str()) {
        Some("json") => serde_json::from_str(&read_text(file)?).map_err(|_| content())?,
        Some("toml") => toml::from_str(&read_text(file)?).map_err(|_| content())?,
        _ => return Err(OverrideError::Kind(file.to_owned())),
    };
    values.keys().try_for_each(|name| check_name(name))?;
    Ok(values)
}

fn check_name(name: &str) -> Result<(), OverrideError> {
    match variable_name_flaw(name) {
        Some(flaw) => Err(OverrideError::Name { name: mask_credentials(name), flaw }),
        None => Ok(()),
    }
}

fn read_text(file: &Path) -> Result<String, OverrideError> {
    std::fs::read_to_string(file)
        .map_err(|error| OverrideError::Read { file: file.to_owned(), kind: error.kind() })
}
