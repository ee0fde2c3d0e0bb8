//! `cargo xtask test`: formatting, lints, the build for wasm and for this machine, and every test.
//! Lints cost no second compilation: clippy's driver is a whole compiler, and is the one that
//! compiles the workspace's own crates here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::dependencies;
use crate::outsiders;
use crate::run::{cargo, program, release_directory, root, run, shown};
use crate::summary::Summary;
use crate::toolchain::{WASM, ensure_linters, ensure_wasm_target};

/// Runs all steps; the first that fails ends it. Times and the sum of all tests come last.
pub(crate) fn test(arguments: &[String]) -> Result<(), String> {
    let mut steps = Steps::default();
    let outcome = all(arguments, &mut steps);
    steps.print();
    outcome
}

fn all(arguments: &[String], steps: &mut Steps) -> Result<(), String> {
    steps.step("toolchain", || ensure_wasm_target().and_then(|()| ensure_linters()))?;
    steps.step("rustfmt", || run(cargo().args(["fmt", "--all", "--check"])))?;
    steps.step("licences, versions and sources", dependencies::check)?;
    let guests = packages("tests/guests")?;
    steps.step("wasm: lint and build", || {
        let components = packages("components")?;
        let mut command = linting(cargo());
        command.args(["build", "--release", "--target", WASM]);
        run(select(&mut command, "--package", components.iter().chain(&guests)))
    })?;
    let native = |arguments: &[&str]| {
        let mut command = linting(cargo());
        command.args(["test", "--release", "--workspace"]);
        select(&mut command, "--exclude", &guests).args(arguments);
        command
    };
    steps.step("native: lint and build", || run(&mut native(&["--no-run"])))?;
    steps.step("PostgreSQL", || {
        let ward = release_directory()?.join("ward");
        run(program(&ward.display().to_string()).args(["doctor", "--fix", "--only", "postgresql"]))
    })?;
    steps.step("Kafka broker", || {
        let broker = release_directory()?.join("test-broker");
        run(&mut program(&broker.display().to_string()))
    })?;
    steps.step("a browser, and Node", outsiders::ensure)?;
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut command = native(&["--no-fail-fast"]);
    command.args(arguments);
    steps.tests(&mut command)
}

/// Has the workspace's own crates compiled, and linted, by clippy's driver. Any lint is an error.
fn linting(mut command: Command) -> Command {
    command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    // The separator that cargo-clippy and its driver have agreed on.
    command.env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
    command
}

pub(crate) fn select<'a>(
    command: &'a mut Command,
    option: &str,
    packages: impl IntoIterator<Item = impl AsRef<str>>,
) -> &'a mut Command {
    for package in packages {
        command.args([option, package.as_ref()]);
    }
    command
}

/// The names of the packages in the directories under `directory`, in order.
pub(crate) fn packages(directory: &str) -> Result<Vec<String>, String> {
    let read = |error| format!("reading {directory}: {error}");
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join(directory)).map_err(read)? {
        let manifest = entry.map_err(read)?.path().join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else { continue };
        let name = package_name(&text);
        names.push(name.ok_or_else(|| format!("{}: no package name", manifest.display()))?);
    }
    names.sort();
    Ok(names)
}

/// The first `name = "…"` of a manifest.
fn package_name(manifest: &str) -> Option<String> {
    let value = manifest.lines().find_map(|line| line.trim().strip_prefix("name"))?;
    let name = value.trim().strip_prefix('=')?.trim().trim_matches('"');
    Some(name.to_owned())
}

/// What was done, how long it took, and what the tests came to.
#[derive(Default)]
struct Steps {
    times: Vec<(&'static str, Duration)>,
    summary: Option<String>,
}

impl Steps {
    fn step(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        eprintln!("== {name}");
        let start = Instant::now();
        let result = work();
        self.times.push((name, start.elapsed()));
        result
    }

    /// Runs the tests, shows what they print, and adds up their results.
    fn tests(&mut self, command: &mut Command) -> Result<(), String> {
        eprintln!("== tests\n$ {}", shown(command));
        let start = Instant::now();
        let mut summary = Summary::default();
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("{}: {error}", shown(command)))?;
        if let Some(stdout) = child.stdout.take() {
            // Tests may print what is not UTF-8.
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line.map_err(|error| format!("reading the tests' output: {error}"))?;
                let line = String::from_utf8_lossy(&line);
                summary.add(&line);
                println!("{line}");
            }
        }
        let status = child.wait().map_err(|error| format!("waiting for the tests: {error}"))?;
        self.times.push(("tests", start.elapsed()));
        self.summary = Some(summary.line(status.success(), start.elapsed()));
        if status.success() { Ok(()) } else { Err("there are failing tests".to_owned()) }
    }

    fn print(&self) {
        println!();
        for (name, took) in &self.times {
            println!("{name:<24} {:>6.1} s", took.as_secs_f64());
        }
        if let Some(summary) = &self.summary {
            println!("{summary}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{package_name, packages};

    #[test]
    fn names_come_from_manifests() {
        let manifest = "[package]\nname = \"guest-hello\"\nversion.workspace = true\n";
        assert_eq!(package_name(manifest).as_deref(), Some("guest-hello"));
        assert_eq!(package_name("[dependencies]\n"), None);
    }

    #[test]
    fn the_repositorys_packages_are_found() {
        assert!(packages("components").unwrap().contains(&"auth".to_owned()));
        assert!(packages("tests/guests").unwrap().contains(&"guest-hello".to_owned()));
    }
}
