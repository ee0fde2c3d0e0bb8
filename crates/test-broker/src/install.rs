//! Finds Nisshi, or builds it with cargo. It goes into a cache of the user's, so that a clean build
//! of the project, or another checkout, does not build it again.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::BrokerError;

/// The version that is built and was tried.
const VERSION: &str = "0.8.1";

/// Storage in PostgreSQL is what we use; the others come along because the program does not build
/// without them.
const FEATURES: &str = "dynostore,libsql,postgres";

/// `ward` in the user's cache.
fn home() -> Result<PathBuf, BrokerError> {
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")));
    let cache = cache.ok_or_else(|| BrokerError("there is no HOME to keep it in".to_owned()))?;
    Ok(cache.join("ward").join(format!("nisshi-{VERSION}")))
}

/// The program, built first if it is not there. Blocks for the 10 to 20 minutes that the build
/// takes on two cores; another process that builds it at the same time is waited for.
pub fn install(progress: &dyn Fn(&str)) -> Result<PathBuf, BrokerError> {
    let home = home()?;
    let program = home.join("bin/nisshi");
    if program.is_file() {
        return Ok(program);
    }
    let parent = home.parent().unwrap_or(&home);
    let named = BrokerError::because("keeping it in the user's cache");
    fs::create_dir_all(parent).map_err(&named)?;
    let lock = File::create(parent.join("nisshi.lock")).map_err(&named)?;
    lock.lock().map_err(&named)?;
    if !program.is_file() {
        build(&home, progress)?;
    }
    Ok(program)
}

/// Builds into a directory beside, and moves it into place when all of it is there. What was
/// compiled is kept until then, so that a build that was interrupted goes on where it was.
fn build(home: &Path, progress: &dyn Fn(&str)) -> Result<(), BrokerError> {
    let beside = |what: &str| PathBuf::from(format!("{}.{what}", home.display()));
    let (staging, target) = (beside("new"), beside("build"));
    progress(&format!(
        "building the Kafka broker Nisshi {VERSION} for tests into {} (once, 10 to 20 minutes)",
        home.display()
    ));
    let running = BrokerError::because("running cargo");
    let mut child = cargo(&staging, &target).spawn().map_err(&running)?;
    let mut last = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            last = line.map_err(&running)?;
            progress(&format!("nisshi: {}", last.trim()));
        }
    }
    if !child.wait().map_err(&running)?.success() {
        return Err(BrokerError(last));
    }
    fs::rename(&staging, home).map_err(&running)?;
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
    command.args(["install", "nisshi", "--version", VERSION, "--locked"]);
    command.args(["--ignore-rust-version", "--no-default-features", "--features", FEATURES]);
    command.arg("--root").arg(root).env("CARGO_TARGET_DIR", target);
    // A cargo that runs us has settings for its own packages.
    for name in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_INCREMENTAL"] {
        command.env_remove(name);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}
