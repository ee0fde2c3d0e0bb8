//! What others wrote and is built in: whether its licences, sources and versions are those that
//! `deny.toml` allows, whether faults in it are known, and a list of it for whoever runs it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo_tool::CargoTool;
use crate::run::{root, run};
use crate::toolchain::WASM;

const DENY: CargoTool =
    CargoTool { package: "cargo-deny", version: "0.20.2", features: &["--no-default-features"] };

const CYCLONEDX: CargoTool =
    CargoTool { package: "cargo-cyclonedx", version: "0.5.9", features: &[] };

/// What cargo-cyclonedx calls its documents, one beside each manifest of the workspace.
const DOCUMENT: &str = "ward-sbom";

/// Licences, bans, duplicate versions and sources. Needs nothing but the registry.
pub(crate) fn check() -> Result<(), String> {
    run(DENY.command()?.args(["--locked", "check", "--hide-inclusion-graph"]).args(CHECKS))
}

const CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

/// `cargo xtask audit`: known faults. They are in a database that is fetched from GitHub.
pub(crate) fn audit(arguments: &[String]) -> Result<(), String> {
    let mut command = DENY.command()?;
    run(command.args(["check", "advisories"]).args(arguments)).map_err(|failure| {
        format!(
            "{failure}: either an advisory stands above, or the database of advisories could not \
             be fetched, and then nothing is known either way"
        )
    })
}

/// `cargo xtask sbom`: a CycloneDX document for the host and one for each component, in
/// `target/sbom`.
pub(crate) fn sbom(_arguments: &[String]) -> Result<(), String> {
    let to = root().join("target/sbom");
    fs::create_dir_all(&to).map_err(named(&to))?;
    describe(None, &to, |directory| directory == Path::new("crates/ward"))?;
    describe(Some(WASM), &to, |directory| {
        directory.parent() == Some(Path::new("components")) && is_program(&root().join(directory))
    })?;
    eprintln!("the documents are in {}", to.display());
    Ok(())
}

/// Whether a package under `components` is a component, and not a library of theirs.
fn is_program(directory: &Path) -> bool {
    fs::read_to_string(directory.join("Cargo.toml")).is_ok_and(|text| text.contains("cdylib"))
}

/// Has all packages described, keeps the documents of those that are `wanted`, and removes the
/// others. Packages are named by their directories.
fn describe(target: Option<&str>, to: &Path, wanted: impl Fn(&Path) -> bool) -> Result<(), String> {
    let mut command = CYCLONEDX.command()?;
    command.args([
        "cyclonedx",
        "--format",
        "json",
        "--override-filename",
        DOCUMENT,
        "--spec-version",
        "1.5",
    ]);
    command.args(target.iter().flat_map(|target| ["--target", target]));
    run(&mut command)?;
    for made in documents(&root())? {
        let package = made.parent().unwrap_or(&made);
        let inside = package.strip_prefix(root()).unwrap_or(package);
        if wanted(inside) {
            let name = inside.file_name().unwrap_or_default().to_string_lossy();
            fs::rename(&made, to.join(format!("{name}.cdx.json"))).map_err(named(&made))?;
        } else {
            fs::remove_file(&made).map_err(named(&made))?;
        }
    }
    Ok(())
}

/// The documents under `directory`; nothing is built there that could hold one.
fn documents(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(named(directory))? {
        let path = entry.map_err(named(directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            found.extend(documents(&path)?);
        } else if name == format!("{DOCUMENT}.json") {
            found.push(path);
        }
    }
    Ok(found)
}

fn named(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}
