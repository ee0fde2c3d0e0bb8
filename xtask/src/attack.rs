//! `cargo xtask attack [NAME…]`: builds the application, then has `ward-attack` (in `tests/`) do to
//! it what strangers could do, and print what others saw of it.

use crate::run::{cargo, program, release_directory, run};
use crate::toolchain::ensure_wasm_target;

/// Runs the named attacks, or all; arguments go to `ward-attack`.
pub(crate) fn attack(arguments: &[String]) -> Result<(), String> {
    built("ward-attack", arguments)
}

/// Builds the application and the tests' programs, and runs one of the latter.
pub(crate) fn built(name: &str, arguments: &[String]) -> Result<(), String> {
    ensure_wasm_target()?;
    run(cargo().args(["build", "--release", "--package", "ward", "--package", "ward-tests"]))?;
    let directory = release_directory()?;
    let ward = directory.join("ward").display().to_string();
    run(program(&ward).arg("build"))?;
    run(program(&ward).args(["doctor", "--fix", "--only", "postgresql"]))?;
    let program_file = directory.join(name).display().to_string();
    run(program(&program_file).args(arguments))
}
