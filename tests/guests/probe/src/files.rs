//! Probes of the environment and of the files that are mounted.

use crate::{Outcome, Query, text};

/// `name`: an environment variable.
pub(crate) fn env(query: &Query) -> Outcome {
    std::env::var(query.get("name")?).map_err(text)
}

/// The whole environment, `NAME=value` lines, sorted.
pub(crate) fn env_all() -> String {
    let mut lines: Vec<_> =
        std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// `path`: a file's content.
pub(crate) fn read(query: &Query) -> Outcome {
    std::fs::read_to_string(query.get("path")?).map_err(text)
}

/// `path`: write a file.
pub(crate) fn write(query: &Query) -> Outcome {
    std::fs::write(query.get("path")?, "written by the guest").map_err(text)?;
    Ok("written".to_owned())
}

/// `path`: names in a directory, sorted, with commas between.
pub(crate) fn list(query: &Query) -> Outcome {
    let entries = std::fs::read_dir(query.get("path")?).map_err(text)?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(text)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names.join(","))
}
