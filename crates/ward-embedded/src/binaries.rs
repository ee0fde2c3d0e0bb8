//! Finds PostgreSQL's server programs in the places where packages put them, newest first. It
//! only looks; installing is `install`'s work.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest major version that ward runs on.
pub const VERSION_MIN: u32 = 15;

/// Directories with one subdirectory per version, each with a `bin`: Debian and Ubuntu, PGDG on
/// Red Hat, the EDB installer on macOS.
const VERSIONED_ROOTS: [&str; 4] = ["/usr/lib/postgresql", "/usr", "/opt", "/Library/PostgreSQL"];

/// Where Homebrew keeps kegs on Apple silicon, Intel and Linux; and Postgres.app's versions.
const KEG_ROOTS: [&str; 4] = [
    "/opt/homebrew/opt",
    "/usr/local/opt",
    "/home/linuxbrew/.linuxbrew/opt",
    "/Applications/Postgres.app/Contents/Versions",
];

/// One installed PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The directory of `postgres` and `initdb`.
    pub bindir: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
    /// The version as the server prints it, such as `15.18`.
    pub version: String,
}

/// Every usable server on this machine, newest first. `WARD_PG_BINDIR`, when set, is the only
/// place that is looked at.
#[must_use]
pub fn installations() -> Vec<Installation> {
    let mut found: Vec<_> = candidates()
        .iter()
        .filter_map(|bindir| probe(bindir))
        .filter(|installation| installation.major >= VERSION_MIN)
        .collect();
    found.sort_by_key(|installation| std::cmp::Reverse(installation.major));
    found
}

fn candidates() -> BTreeSet<PathBuf> {
    if let Some(bindir) = env::var_os("WARD_PG_BINDIR") {
        return BTreeSet::from([PathBuf::from(bindir)]);
    }
    let versioned = VERSIONED_ROOTS.iter().chain(&KEG_ROOTS).flat_map(|root| subdirectories(root));
    let path = env::var_os("PATH").unwrap_or_default();
    versioned
        .map(|directory| directory.join("bin"))
        .chain(env::split_paths(&path))
        .chain(pg_config_bindir())
        .chain([PathBuf::from("/usr/local/pgsql/bin")])
        .filter(|bindir| bindir.join("postgres").is_file() && bindir.join("initdb").is_file())
        .filter_map(|bindir| fs::canonicalize(bindir).ok())
        .collect()
}

/// Subdirectories whose name says PostgreSQL or is a bare version. `/usr` and `/opt` hold much
/// else, which the later look for `initdb` rules out.
fn subdirectories(root: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn pg_config_bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(OsString::from(text.trim())))
}

fn probe(bindir: &Path) -> Option<Installation> {
    let output = Command::new(bindir.join("postgres")).arg("--version").output().ok()?;
    let version = parse_version(&String::from_utf8(output.stdout).ok()?)?;
    let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(Installation { bindir: bindir.to_owned(), major, version })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → `15.18`.
fn parse_version(text: &str) -> Option<String> {
    let rest = text.split_once("(PostgreSQL)")?.1;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse_version(text).as_deref(), expected);
        };
        check("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some("15.18"));
        check("postgres (PostgreSQL) 18beta1\n", Some("18beta1"));
        check("postgres 15\n", None);
    }
}
