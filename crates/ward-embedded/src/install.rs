//! Installs PostgreSQL's server where that can be done without asking: Debian and its relatives,
//! as root, with apt. Everywhere else it says what to install. It must never leave a system-wide
//! server running.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::account::is_root;
use crate::binaries::{Installation, installations};
use crate::error::EmbeddedError;
use crate::postgres::Progress;

/// postgresql-common's settings for the cluster that Debian would make at installation.
const CREATECLUSTER: &str = "/etc/postgresql-common/createcluster.conf";

/// The newest usable server, installing one first if there is none and that is possible. Blocks
/// for as long as the package manager takes.
pub fn ensure_installed(progress: &Progress) -> Result<Installation, EmbeddedError> {
    if let Some(found) = newest() {
        return Ok(found);
    }
    let pinned = std::env::var_os("WARD_PG_BINDIR").is_some();
    if pinned || !is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Err(EmbeddedError::NotInstalled);
    }
    progress("no PostgreSQL server found; installing it with apt-get");
    apt(&["update"], progress)?;
    // The settings have to be in place before the server's package runs its scripts, so that no
    // system cluster is made, started, or enabled at boot.
    apt(&["install", "--yes", "--no-install-recommends", "postgresql-common"], progress)?;
    disable_main_cluster(Path::new(CREATECLUSTER))
        .map_err(EmbeddedError::io(format!("writing {CREATECLUSTER}")))?;
    apt(&["install", "--yes", "--no-install-recommends", "postgresql"], progress)?;
    newest().ok_or(EmbeddedError::NotInstalled)
}

fn newest() -> Option<Installation> {
    installations().into_iter().next()
}

/// Runs apt-get without questions and hands its output on line by line.
fn apt(arguments: &[&str], progress: &Progress) -> Result<(), EmbeddedError> {
    let what = || format!("running apt-get {}", arguments.first().unwrap_or(&""));
    let mut child = Command::new("apt-get")
        // Another installation may be going on; its lock is worth waiting for.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("UCF_FORCE_CONFFOLD", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(EmbeddedError::io(what()))?;
    let mut last = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            last = line.map_err(EmbeddedError::io(what()))?;
            progress(&format!("apt-get: {last}"));
        }
    }
    match child.wait().map_err(EmbeddedError::io(what()))?.success() {
        true => Ok(()),
        false => Err(EmbeddedError::Install(format!("{} failed after: {last}", what()))),
    }
}

/// Sets `create_main_cluster = false`, leaving the other settings alone.
fn disable_main_cluster(path: &Path) -> io::Result<()> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let kept = text.lines().filter(|line| !line.trim_start().starts_with("create_main_cluster"));
    let mut changed: String = kept.flat_map(|line| [line, "\n"]).collect();
    changed.push_str("create_main_cluster = false\n");
    fs::write(path, changed)
}

/// What to install, for the system this runs on.
#[must_use]
pub fn how_to_install() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    hint(std::env::consts::OS, &release).to_owned()
}

fn hint(os: &str, release: &str) -> &'static str {
    let like = |names: &[&str]| {
        let ids = release.lines().filter(|line| line.starts_with("ID"));
        ids.flat_map(|line| line.split(['=', '"', ' '])).any(|word| names.contains(&word))
    };
    match os {
        "macos" => "install it with `brew install postgresql@17`",
        "linux" if like(&["debian", "ubuntu"]) => {
            "install it with `sudo apt-get install postgresql` (where that is older than 15: first \
             `sudo apt-get install postgresql-common && \
             sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh`)"
        }
        "linux" if like(&["fedora", "rhel", "centos"]) => {
            "install it with `sudo dnf install postgresql-server`"
        }
        "linux" if like(&["arch"]) => "install it with `sudo pacman -S postgresql`",
        "linux" if like(&["alpine"]) => "install it with `apk add postgresql17`",
        "linux" if like(&["suse", "opensuse"]) => {
            "install it with `sudo zypper install postgresql-server`"
        }
        _ => {
            "install PostgreSQL 15 or newer (https://www.postgresql.org/download/), set \
             WARD_PG_BINDIR to its directory of programs, or give a server that already runs with \
             --database-url"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{disable_main_cluster, hint};

    #[test]
    fn hints_by_system() {
        let check = |os, release, part: &str| {
            let hint = hint(os, release);
            assert!(hint.contains(part), "{hint}");
        };
        check("macos", "", "brew install");
        check("linux", "ID=ubuntu\nID_LIKE=debian\n", "apt-get install postgresql");
        check("linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf install");
        check("linux", "ID=arch\n", "pacman");
        check("linux", "NAME=nothing\n", "WARD_PG_BINDIR");
    }

    #[test]
    fn main_cluster_is_switched_off_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("createcluster.conf");
        fs::write(&path, "ssl = on\n#create_main_cluster = true\n").unwrap();
        disable_main_cluster(&path).unwrap();
        disable_main_cluster(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "ssl = on\n#create_main_cluster = true\ncreate_main_cluster = false\n");
    }
}
