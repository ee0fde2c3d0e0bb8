//! The `ward` binary as a person meets it: help, mistakes, and findings. What it serves is tested
//! in the `tests` crate; here nothing is started.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

mod app;
mod build;
mod doctor;
mod help;
mod mistakes;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::Expect;
use tempfile::TempDir;

/// Exit code, standard output and standard error as one text.
fn ward(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ward"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    for name in ["WARD_DATABASE_URL", "RUNTIME_CONFIG_FILE", "WARD_LOG", "RUST_LOG"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    format!("code {}\n{out}{err}", output.status.code().unwrap_or(-1))
}

/// Runs ward in an empty directory and compares.
fn check(arguments: &[&str], expected: Expect) {
    expected.assert_eq(&ward(tempfile::tempdir().unwrap().path(), arguments));
}

/// A directory with a manifest.
fn project(manifest: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("spin.toml"), manifest).unwrap();
    directory
}

/// One component on one route, whose wasm file is not there.
const UNBUILT: &str = r#"spin_manifest_version = 2

[application]
name = "small"

[[trigger.http]]
route = "/..."
component = "hello"

[component.hello]
source = "hello.wasm"
"#;
