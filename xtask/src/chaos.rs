//! `cargo xtask chaos events`: builds the application and its broker, then has `ward-chaos` (in
//! `tests/`) kill and freeze everything in turn under load and count what became of each change.

use crate::run::{cargo, program, release_directory, run};
use crate::toolchain::ensure_wasm_target;

/// Runs the rounds; arguments go to `ward-chaos`.
pub(crate) fn chaos(arguments: &[String]) -> Result<(), String> {
    if arguments.first().map(String::as_str) != Some("events") {
        return Err("the only chaos there is is `chaos events`".to_owned());
    }
    ensure_wasm_target()?;
    run(cargo().args(["build", "--release", "--package", "ward", "--package", "ward-tests"]))?;
    let directory = release_directory()?;
    let ward = directory.join("ward").display().to_string();
    run(program(&ward).arg("build"))?;
    run(program(&ward).args(["doctor", "--fix", "--only", "postgresql,broker"]))?;
    let chaos = directory.join("ward-chaos").display().to_string();
    run(program(&chaos).args(arguments))
}
