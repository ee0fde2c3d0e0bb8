//! The program as `cargo xtask test` calls it. That there is a test of this kind has another use:
//! cargo builds a package's programs for its integration tests only.

use std::process::Command;

#[test]
fn the_program_ends_well_when_the_broker_is_there() {
    let output = Command::new(env!("CARGO_BIN_EXE_test-broker")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty(), "what it says is progress, and goes to standard error");
}
