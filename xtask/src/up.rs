//! `cargo xtask up`: from a fresh clone to a running system. Everything that is not needed to have
//! a `ward` binary is left to `ward up`.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::run::{cargo, release_directory, root, run};
use crate::toolchain::ensure_wasm_target;

/// Builds ward and becomes it, so that signals reach it and its exit code is ours.
pub(crate) fn up(arguments: &[String]) -> Result<(), String> {
    ensure_wasm_target()?;
    run(cargo().args(["build", "--release", "--package", "ward"]))?;
    let ward = release_directory()?.join("ward");
    let mut command = Command::new(&ward);
    command.args(["up", "--build", "--demo"]).args(arguments).current_dir(root());
    Err(format!("{}: {}", ward.display(), command.exec()))
}
