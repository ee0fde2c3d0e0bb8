//! Programs that cargo builds from the registry for the commands here: of one version, kept in the
//! user's cache, so that another checkout does not build them again.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{cargo, program, run};

/// A program of the registry's, by its package's name and the version that was tried.
pub(crate) struct CargoTool {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// Arguments of `cargo install`.
    pub(crate) features: &'static [&'static str],
}

impl CargoTool {
    /// A command of the program, which is built first where it is not there.
    pub(crate) fn command(&self) -> Result<Command, String> {
        let root = cache()?.join(format!("{}-{}", self.package, self.version));
        let path = root.join("bin").join(self.package);
        if !path.is_file() {
            self.install(&root)?;
        }
        Ok(program(&path.display().to_string()))
    }

    /// What is half done is begun anew: cargo puts the program into its place when it is whole.
    fn install(&self, root: &std::path::Path) -> Result<(), String> {
        let build = root.join("build");
        let mut command = cargo();
        // Not at our root, whose settings are for our own packages.
        command.current_dir("/").args(["install", self.package, "--version", self.version]);
        command.arg("--locked").args(self.features);
        command.arg("--root").arg(root).env("CARGO_TARGET_DIR", &build);
        for name in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTFLAGS"] {
            command.env_remove(name);
        }
        run(&mut command)?;
        std::fs::remove_dir_all(&build).map_err(|error| format!("{}: {error}", build.display()))
    }
}

/// `ward` in the user's cache.
fn cache() -> Result<PathBuf, String> {
    let given =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")));
    Ok(cache.ok_or("there is no HOME to keep it in")?.join("ward"))
}
