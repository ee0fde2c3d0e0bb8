//! Programs of others that look at the API from outside: a browser with its driver, and Node for
//! the tools that read documents. They come out of Debian's packages where those can be installed;
//! elsewhere the tests that want them say that they are skipped.

use std::path::Path;
use std::process::Command;

use crate::run::{program, run};

/// Each program with the packages that have it.
const PROGRAMS: [(&str, &[&str]); 2] =
    [("chromedriver", &["chromium", "chromium-driver"]), ("npm", &["nodejs", "npm"])];

/// Installs what is missing, if that is allowed.
pub(crate) fn ensure() -> Result<(), String> {
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|(name, _)| !is_there(name)).collect();
    let packages: Vec<&str> =
        missing.iter().flat_map(|(_, packages)| packages.iter().copied()).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if !is_there("apt-get") || !is_root() {
        eprintln!("not here: {}; the tests that want them are skipped", packages.join(", "));
        return Ok(());
    }
    let quietly = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
    let installed =
        run(&mut apt(&["update", "--quiet=2"])).and_then(|()| run(apt(&quietly).args(&packages)));
    if let Err(cause) = installed {
        eprintln!(
            "not here: {}: {cause}; the tests that want them are skipped",
            packages.join(", ")
        );
    }
    Ok(())
}

/// `apt-get`, which asks nothing.
fn apt(arguments: &[&str]) -> Command {
    let mut command = program("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    command
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|place| place.join(program).exists())
}

/// Only root may write there.
fn is_root() -> bool {
    let uid = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = uid.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|line| line.split_whitespace().next()) == Some("0")
        && Path::new("/var/lib/dpkg").exists()
}
