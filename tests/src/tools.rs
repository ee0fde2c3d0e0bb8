//! Programs that others wrote and that look at us from outside: each installed once below
//! `target/`, by name and version, out of its registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Repository;

/// A Python with these packages, in `target/<name>-venv`.
pub fn python(name: &str, packages: &[&str]) -> PathBuf {
    let venv = made(&format!("{name}-venv"), packages, |at| {
        run(Command::new("python3").args(["-m", "venv"]).arg(at));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(at.join("bin/python")).args(pip).args(packages));
    });
    venv.join("bin/python")
}

/// A directory with these packages for Node, `target/<name>-node`.
pub fn node(name: &str, packages: &[&str]) -> PathBuf {
    made(&format!("{name}-node"), packages, |at| {
        fs::create_dir_all(at).expect("a directory");
        let quietly = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(Command::new("npm").args(quietly).arg(at).args(packages));
    })
}

/// What `make` makes, if that is not there: made elsewhere and moved, because two test processes
/// may come here at the same time.
fn made(name: &str, packages: &[&str], make: impl FnOnce(&Path)) -> PathBuf {
    let target = Repository::here().root().join("target");
    let wanted = packages.join("\n");
    let place = target.join(name);
    let is_there = || fs::read_to_string(place.join("complete")).is_ok_and(|it| it == wanted);
    if is_there() {
        return place;
    }
    let own = TempDir::new_in(&target).expect("a directory");
    let made = own.path().join("made");
    make(&made);
    fs::write(made.join("complete"), &wanted).expect("a file");
    drop(fs::rename(&place, own.path().join("old")));
    drop(fs::rename(&made, &place));
    assert!(is_there(), "{} was made", place.display());
    place
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaints}");
}
