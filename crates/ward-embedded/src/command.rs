//! How PostgreSQL's programs are run: as the unprivileged account, from a directory every user may
//! enter, without standard input, and with no more of the caller's environment than a program
//! needs to run at all. Ward's may hold passwords, and a server's is open to its superusers.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::account::Account;
use crate::binaries::Installation;
use crate::error::EmbeddedError;

/// What programs are found with, and how they write. `PG*`, which would change where they connect
/// and what they read, is not among it.
const ENVIRONMENT: [&str; 8] =
    ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// How much of a failed program's output a message quotes.
const OUTPUT_LINES_MAX: usize = 4;

/// A command for one of PostgreSQL's programs.
pub(crate) fn program(
    installation: &Installation,
    name: &str,
    account: Option<Account>,
) -> Command {
    as_account(&installation.bindir.join(name), account)
}

/// A command that runs as the account, or as ourselves where there is none.
pub(crate) fn as_account(program: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    // initdb and postgres complain when they cannot enter the directory they start in.
    command.current_dir("/").stdin(Stdio::null());
    command.env_clear();
    for name in ENVIRONMENT {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    if let Some(Account { uid, gid }) = account {
        // As root, `uid` clears the supplementary groups too.
        command.uid(uid).gid(gid);
    }
    command
}

/// Runs a command to its end; its output becomes part of the error when it fails. A Ctrl-C at the
/// terminal is ward's to handle, which does so when the program has ended.
pub(crate) fn run(name: &str, mut command: Command) -> Result<(), EmbeddedError> {
    let output =
        command.process_group(0).output().map_err(EmbeddedError::io(format!("running {name}")))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(EmbeddedError::Program { program: name.to_owned(), output: tail(&text) })
}

/// The last lines of a text, joined into one.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let start = lines.len().saturating_sub(OUTPUT_LINES_MAX);
    lines.get(start..).unwrap_or_default().join("; ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{ENVIRONMENT, as_account};

    #[test]
    fn programs_get_no_environment_that_may_hold_a_secret() {
        let mut command = as_account(Path::new("/usr/bin/env"), None);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names: Vec<_> = text.lines().filter_map(|line| line.split('=').next()).collect();
        assert!(names.contains(&"PATH"), "{names:?}");
        assert!(names.iter().all(|name| ENVIRONMENT.contains(name)), "{names:?}");
    }
}
