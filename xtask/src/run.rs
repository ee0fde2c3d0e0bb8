//! Runs other programs: shows what it runs, gives them no standard input, and turns a failure into
//! a sentence.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository's root. Known at compile time, as this program never leaves its clone.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The directory of release programs: this one's own, whatever the target directory is called.
pub(crate) fn release_directory() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("finding xtask itself: {error}"))?;
    let directory = own.parent().ok_or("xtask is in no directory")?;
    Ok(directory.to_owned())
}

/// `cargo`, the one that runs us, at the root.
pub(crate) fn cargo() -> Command {
    program(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// A program, at the root, without standard input.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    // Set by cargo for us; another cargo would take them for its own, and build scripts that
    // watch them would run again, and with them everything that depends on ring.
    for (name, _) in std::env::vars_os() {
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if ours.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Shows a command, runs it, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let text = shown(command);
    eprintln!("$ {text}");
    let status = command.status().map_err(|error| format!("{text}: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`{text}` failed ({status})")),
    }
}

/// What a program prints, if it runs and succeeds.
pub(crate) fn said_by(name: &str, arguments: &[&str]) -> Option<String> {
    let output = program(name).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
