//! `cargo xtask docs`: writes the API's documents, `docs/api`, as the tests that keep them would
//! have them, and builds the component that serves them.

use crate::run::{cargo, run};
use crate::test::{packages, select};
use crate::toolchain::{WASM, ensure_wasm_target};

/// What the tests' names have in common that keep a document.
const KEEPERS: [&str; 2] = ["_is_what_there_is", "is_generated_from_what_ward_prints"];

/// Writes them.
pub(crate) fn docs(_: &[String]) -> Result<(), String> {
    ensure_wasm_target()?;
    run(cargo().args(["build", "--release", "--package", "ward"]))?;
    let mut command = cargo();
    command.args(["test", "--release", "--workspace", "--lib", "--tests"]);
    select(&mut command, "--exclude", packages("tests/guests")?);
    run(command.arg("--").args(KEEPERS).env("UPDATE_EXPECT", "1"))?;
    run(cargo().args(["build", "--release", "--target", WASM, "--package", "docs"]))
}
