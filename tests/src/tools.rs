//! Programs that others wrote and that look at us from outside: each installed once below
//! `target/`, by name and version, out of its registry.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Repository;

/// The longest that packages are waited for, in seconds.
const SECONDS_MAX: &str = "300";

/// A Python with these packages, in `target/<name>-venv`. Nothing where they cannot be had, which
/// is said.
pub fn python(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let venv = made(&format!("{name}-venv"), packages, |at| {
        run("python3", |it| it.args(["-m", "venv"]).arg(at))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
        run(at.join("bin/python"), |it| it.args(pip).args(packages))
    })?;
    Some(venv.join("bin/python"))
}

/// A directory with these packages for Node, `target/<name>-node`; nothing as above.
pub fn node(name: &str, packages: &[&str]) -> Option<PathBuf> {
    made(&format!("{name}-node"), packages, |at| {
        fs::create_dir_all(at).expect("a directory");
        let quietly = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run("npm", |it| it.args(quietly).arg(at).args(packages))
    })
}

/// Says that a test does nothing, and why, to whoever runs it: past what collects the output of
/// tests, which shows nothing of those that pass.
pub fn skipped(why: &str) {
    drop(writeln!(std::io::stderr(), "skipped: {why}"));
}

/// What `make` makes, if that is not there: made elsewhere and moved, because two test processes
/// may come here at the same time.
fn made(
    name: &str,
    packages: &[&str],
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Option<PathBuf> {
    let target = Repository::here().root().join("target");
    let wanted = packages.join("\n");
    let place = target.join(name);
    let is_there = || fs::read_to_string(place.join("complete")).is_ok_and(|it| it == wanted);
    if is_there() {
        return Some(place);
    }
    let own = TempDir::new_in(&target).expect("a directory");
    let made = own.path().join("made");
    if let Err(cause) = make(&made) {
        skipped(&format!("{} cannot be had here: {cause}", packages.join(", ")));
        return None;
    }
    fs::write(made.join("complete"), &wanted).expect("a file");
    drop(fs::rename(&place, own.path().join("old")));
    drop(fs::rename(&made, &place));
    assert!(is_there(), "{} was made", place.display());
    Some(place)
}

/// Runs a program that is ended when it takes too long, without standard input.
fn run(
    program: impl AsRef<OsStr>,
    with: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<(), String> {
    let mut command = Command::new("timeout");
    let command = with(command.arg(SECONDS_MAX).arg(program).stdin(Stdio::null()));
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {complaints}")),
    }
}
