//! `cargo xtask chaos`: builds the application, and with `--kafka` a broker, then has `ward-chaos`
//! (in `tests/`) kill and freeze everything in turn under load, or replace every component again
//! and again, and count what became of each change and each answer.

use crate::run::{cargo, program, release_directory, run};
use crate::toolchain::ensure_wasm_target;

/// Runs the rounds; arguments go to `ward-chaos`.
pub(crate) fn chaos(arguments: &[String]) -> Result<(), String> {
    if !matches!(arguments.first().map(String::as_str), Some("events" | "swap")) {
        return Err("there are `chaos events` and `chaos swap`".to_owned());
    }
    ensure_wasm_target()?;
    run(cargo().args(["build", "--release", "--package", "ward", "--package", "ward-tests"]))?;
    if arguments.iter().any(|argument| argument == "--kafka") {
        run(cargo().args(["run", "--release", "--package", "test-broker"]))?;
    }
    let directory = release_directory()?;
    let ward = directory.join("ward").display().to_string();
    run(program(&ward).arg("build"))?;
    run(program(&ward).args(["doctor", "--fix", "--only", "postgresql"]))?;
    let chaos = directory.join("ward-chaos").display().to_string();
    run(program(&chaos).args(arguments))
}
