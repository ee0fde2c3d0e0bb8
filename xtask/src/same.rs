//! `cargo xtask same`: builds the components twice, the second time from a copy of the sources in
//! another directory and from nothing, and says whether they are equal byte for byte. Whoever has
//! the source can then tell whether a component is what it is said to be.

use std::fs;
use std::path::Path;

use crate::run::{cargo, program, root, run};
use crate::test::{packages, select};
use crate::toolchain::{WASM, ensure_wasm_target};

/// Builds and compares.
pub(crate) fn same(_arguments: &[String]) -> Result<(), String> {
    ensure_wasm_target()?;
    let copy = root().join("target/same");
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    }
    let to = copy.display().to_string();
    run(program("git").args(["clone", "--quiet", "--no-hardlinks", ".", &to]))?;
    let components = packages("components")?;
    for directory in [&root(), &copy] {
        let mut command = cargo();
        command.current_dir(directory).args(["build", "--release", "--target", WASM]);
        command.env("CARGO_TARGET_DIR", directory.join("target"));
        run(select(&mut command, "--package", &components))?;
    }
    let built = |directory: &Path, name: &str| {
        fs::read(directory.join(format!("target/{WASM}/release/{}.wasm", name.replace('-', "_"))))
    };
    let mut differ = Vec::new();
    for name in &components {
        // A library of the components' has none.
        let Ok(first) = built(&root(), name) else { continue };
        let second = built(&copy, name).map_err(|error| format!("{name}: {error}"))?;
        eprintln!(
            "{name}: {} bytes, {}",
            first.len(),
            if first == second { "equal" } else { "different" }
        );
        if first != second {
            differ.push(name.as_str());
        }
    }
    match differ.as_slice() {
        [] => Ok(()),
        _ => Err(format!("two builds differ: {}", differ.join(", "))),
    }
}
