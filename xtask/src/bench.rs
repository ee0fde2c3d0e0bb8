//! `cargo xtask bench [NAME…]`: builds what the benchmarks measure, then runs them. The
//! benchmarks themselves are the package in `benches/`.

use crate::run::{cargo, program, release_directory, run};
use crate::toolchain::{WASM, ensure_wasm_target};

/// Components of the application, the guest that answers `hello`, and those that call each other.
const MEASURED: [&str; 11] = [
    "analytics",
    "auth",
    "billing",
    "docs",
    "guard",
    "patients",
    "guest-hello",
    "guest-callee",
    "guest-caller",
    "guest-relay",
    "guest-clerk",
];

/// Runs the named benchmarks, or all.
pub(crate) fn bench(names: &[String]) -> Result<(), String> {
    ensure_wasm_target()?;
    for package in MEASURED {
        // One at a time, as `ward build` does it: the same features, so nothing is built twice.
        run(cargo().args(["build", "--release", "--target", WASM, "--package", package]))?;
    }
    run(cargo().args(["build", "--release", "--package", "ward", "--package", "ward-bench"]))?;
    let bench = release_directory()?.join("ward-bench");
    run(program(&bench.display().to_string()).args(names))
}
