//! The parts of the Rust toolchain that a minimal installation lacks: the wasm target, clippy and
//! rustfmt. Added with rustup; where there is no rustup, a sentence says what is missing.

use std::path::Path;

use crate::run::{program, run, said_by};

/// The target that components are built for.
pub(crate) const WASM: &str = "wasm32-wasip2";

/// Makes sure that components can be built.
pub(crate) fn ensure_wasm_target() -> Result<(), String> {
    let has = || {
        let libraries = said_by("rustc", &["--print", "target-libdir", "--target", WASM]);
        libraries.is_some_and(|path| Path::new(&path).is_dir())
    };
    ensure(has, &["target", "add", WASM], "the target wasm32-wasip2")
}

/// Makes sure that there are clippy and rustfmt.
pub(crate) fn ensure_linters() -> Result<(), String> {
    let clippy = || said_by("clippy-driver", &["--version"]).is_some();
    ensure(clippy, &["component", "add", "clippy"], "clippy")?;
    let rustfmt = || said_by("rustfmt", &["--version"]).is_some();
    ensure(rustfmt, &["component", "add", "rustfmt"], "rustfmt")
}

fn ensure(has: impl Fn() -> bool, rustup: &[&str], what: &str) -> Result<(), String> {
    if has() {
        return Ok(());
    }
    let missing = format!("{what} is missing; `rustup {}` installs it", rustup.join(" "));
    run(program("rustup").args(rustup)).map_err(|error| format!("{missing} ({error})"))?;
    if has() { Ok(()) } else { Err(missing) }
}
