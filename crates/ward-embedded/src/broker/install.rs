//! Finds Nisshi, or builds it with cargo. It goes into a cache of the user's, so that a clean build
//! of the project, or another checkout, does not build it again.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::EmbeddedError;
use crate::postgres::Progress;

/// The version that is built and was tried. Its tables are what `tables` changes.
pub const NISSHI_VERSION: &str = "0.8.1";

/// Storage in PostgreSQL is what we use; the others come along because the program does not build
/// without them.
const FEATURES: &str = "dynostore,libsql,postgres";

/// The broker's program, if it is installed. `WARD_NISSHI`, when set, is the only place that is
/// looked at.
#[must_use]
pub fn broker_program() -> Option<PathBuf> {
    let program = match env::var_os("WARD_NISSHI") {
        Some(program) => PathBuf::from(program),
        None => home()?.join("bin/nisshi"),
    };
    program.is_file().then_some(program)
}

/// `WARD_TOOLS_DIR`, or `ward` in the user's cache.
fn tools() -> Option<PathBuf> {
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given("WARD_TOOLS_DIR")
        .or_else(|| Some(given("XDG_CACHE_HOME")?.join("ward")))
        .or_else(|| Some(given("HOME")?.join(".cache/ward")))
}

fn home() -> Option<PathBuf> {
    Some(tools()?.join(format!("nisshi-{NISSHI_VERSION}")))
}

/// The program, built first if it is not there. Blocks for the 10 to 20 minutes that the build
/// takes on two cores; another ward that builds it at the same time is waited for.
pub fn install_broker(progress: &Progress) -> Result<PathBuf, EmbeddedError> {
    if let Some(program) = broker_program() {
        return Ok(program);
    }
    let home = home().filter(|_| env::var_os("WARD_NISSHI").is_none());
    let home = home.ok_or(EmbeddedError::NoBroker)?;
    let parent = home.parent().unwrap_or(&home);
    let what = || format!("creating {}", parent.display());
    fs::create_dir_all(parent).map_err(EmbeddedError::io(what()))?;
    let lock = File::create(parent.join("nisshi.lock")).map_err(EmbeddedError::io(what()))?;
    lock.lock().map_err(EmbeddedError::io(format!("locking {}", parent.display())))?;
    if let Some(program) = broker_program() {
        return Ok(program);
    }
    build(&home, progress)?;
    broker_program().ok_or(EmbeddedError::NoBroker)
}

/// Builds into a directory beside, and moves it into place when all of it is there. What was
/// compiled is kept until then, so that a build that was interrupted goes on where it was.
fn build(home: &Path, progress: &Progress) -> Result<(), EmbeddedError> {
    let beside = |what: &str| PathBuf::from(format!("{}.{what}", home.display()));
    let (staging, target) = (beside("new"), beside("build"));
    progress(&format!(
        "building the Kafka broker Nisshi {NISSHI_VERSION} into {} (once, 10 to 20 minutes)",
        home.display()
    ));
    let mut child = cargo(&staging, &target)
        .spawn()
        .map_err(|error| EmbeddedError::BrokerInstall(format!("running cargo: {error}")))?;
    let mut last = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            last = line.map_err(EmbeddedError::io("running cargo"))?;
            progress(&format!("nisshi: {}", last.trim()));
        }
    }
    let status = child.wait().map_err(EmbeddedError::io("running cargo"))?;
    if !status.success() {
        return Err(EmbeddedError::BrokerInstall(last));
    }
    fs::rename(&staging, home)
        .map_err(EmbeddedError::io(format!("creating {}", home.display())))?;
    if let Err(error) = fs::remove_dir_all(&target) {
        tracing::debug!(%error, "could not remove the broker's build directory");
    }
    Ok(())
}

fn cargo(root: &Path, target: &Path) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // What is being developed comes first.
    let mut command = Command::new("nice");
    command.args(["-n", "10"]).arg(cargo);
    // It declares a newer compiler than it needs.
    command.args(["install", "nisshi", "--version", NISSHI_VERSION, "--locked"]);
    command.args(["--ignore-rust-version", "--no-default-features", "--features", FEATURES]);
    command.arg("--root").arg(root).env("CARGO_TARGET_DIR", target);
    // A cargo that runs us has settings for its own packages.
    for name in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_INCREMENTAL"] {
        command.env_remove(name);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}
