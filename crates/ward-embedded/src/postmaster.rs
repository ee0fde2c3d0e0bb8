//! The running server as the operating system sees it: who it is, whether it is still ours, and
//! how it is asked to stop. A pid file alone proves nothing, because process ids are used again
//! (in a container, after every restart); the process has to be a server of our data directory.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use crate::error::EmbeddedError;

/// How long a fast shutdown may take (it writes a checkpoint), and then an immediate one.
const FAST_MAX: Duration = Duration::from_secs(20);
const IMMEDIATE_MAX: Duration = Duration::from_secs(10);

/// How often a process that is not our child is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What `postmaster.pid` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PidFile {
    pub(crate) pid: Pid,
    pub(crate) port: u16,
}

/// Reads the pid file of a data directory. Line 1 is the process id, line 4 the port; a file that
/// is still being written has fewer lines and counts as none.
pub(crate) fn pid_file(data: &Path) -> Result<Option<PidFile>, EmbeddedError> {
    let file = data.join("postmaster.pid");
    match fs::read(&file) {
        Ok(bytes) => Ok(parse(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => {
            let server = server(data).ok().flatten();
            Err(EmbeddedError::PidFileClosed { file, server, source })
        }
    }
}

/// The server that the pid file of a data directory names, if it runs and can be told what to do.
pub(crate) fn running(data: &Path) -> Result<Option<PidFile>, EmbeddedError> {
    let Some(file) = pid_file(data)?.filter(|file| is_ours(file.pid, data)) else {
        return Ok(None);
    };
    match test_kill_process(file.pid) {
        Err(Errno::PERM) => {
            Err(EmbeddedError::ForeignServer { data: data.to_owned(), server: file.pid })
        }
        _ => Ok(Some(file)),
    }
}

/// A server of a data directory whose pid file does not name it. One that is starting has named
/// itself before anything else is written.
pub(crate) fn unnamed(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let named = text.lines().next().and_then(|line| line.trim().parse().ok());
    match named.filter(|pid| *pid > 0).and_then(Pid::from_raw).is_some_and(|pid| is_ours(pid, data))
    {
        true => None,
        false => server(data).ok().flatten(),
    }
}

fn parse(text: &str) -> Option<PidFile> {
    let mut lines = text.lines().map(str::trim);
    // A negative id is that of a single-user backend, which is no server.
    let pid: u32 = lines.next()?.parse().ok()?;
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    let port = lines.nth(2)?.parse().ok()?;
    Some(PidFile { pid, port })
}

/// Whether the process is a server of this data directory: its command line names both. Our
/// servers are always started with the directory in full; a backend's title is another.
pub(crate) fn is_ours(pid: Pid, data: &Path) -> bool {
    let Some(arguments) = arguments(pid) else { return false };
    let server = arguments.first().is_some_and(|program| {
        Path::new(program).file_name().is_some_and(|name| name == "postgres")
    });
    server && arguments.iter().any(|argument| OsStr::new(argument) == data.as_os_str())
}

/// A process's command line; `None` when there is no such process.
#[cfg(target_os = "linux")]
pub(crate) fn arguments(pid: Pid) -> Option<Vec<std::ffi::OsString>> {
    use std::os::unix::ffi::OsStrExt;
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    let parts = line.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    Some(parts.map(|part| OsStr::from_bytes(part).to_owned()).collect())
}

/// Without /proc: `ps` joins the arguments with spaces, so a directory with a space in its name is
/// not recognised, and its server is stopped by PostgreSQL's own lock instead of adopted.
#[cfg(not(target_os = "linux"))]
pub(crate) fn arguments(pid: Pid) -> Option<Vec<std::ffi::OsString>> {
    let id = pid.as_raw_nonzero().to_string();
    let output = std::process::Command::new("ps").args(["-o", "args=", "-p", &id]).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    Some(line.split_whitespace().map(std::ffi::OsString::from).collect())
}

/// Removes a pid file that names a process which is not our server. PostgreSQL does this itself
/// when the process is gone, but refuses to start when its id belongs to somebody else by now, and
/// when the file is empty or full of zeros, as a machine that lost its power leaves it.
pub(crate) fn remove_stale_pid_file(data: &Path) -> Result<(), EmbeddedError> {
    let path = data.join("postmaster.pid");
    let is_stale = match pid_file(data)? {
        Some(file) => test_kill_process(file.pid).is_ok() && !is_ours(file.pid, data),
        None if !is_unreadable(&path) => false,
        // Where processes cannot be listed the file is left for a person to look at.
        None => match server(data) {
            Ok(Some(server)) => {
                return Err(EmbeddedError::PidFileLost { data: data.to_owned(), server });
            }
            found => found.is_ok(),
        },
    };
    if !is_stale {
        return Ok(());
    }
    fs::remove_file(&path).map_err(EmbeddedError::io(format!("removing {}", path.display())))
}

/// Whether a pid file is there that names no process. A backend without a server names itself by a
/// negative number.
pub(crate) fn is_unreadable(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let first = text.lines().next().unwrap_or_default().trim();
    first.parse::<i64>().ok().filter(|pid| *pid != 0).is_none()
}

/// The process that is a server of this data directory, whatever its pid file says; fails where
/// processes cannot be listed.
fn server(data: &Path) -> io::Result<Option<Pid>> {
    let processes = fs::read_dir("/proc")?;
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(ids.filter_map(Pid::from_raw).find(|pid| is_ours(*pid, data)))
}

/// A server that this process looks after.
pub(crate) enum Server {
    /// Started by this process.
    Child(Child),
    /// Started by a ward that was killed; found running and kept.
    Adopted(Pid),
}

impl Server {
    /// The process id; `None` once a child has been waited for.
    pub(crate) fn pid(&self) -> Option<Pid> {
        match self {
            Self::Child(child) => {
                child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
            }
            Self::Adopted(pid) => Some(*pid),
        }
    }

    /// Whether it is still running; otherwise how it ended.
    pub(crate) fn check(&mut self, data: &Path) -> Result<(), String> {
        match self {
            Self::Child(child) => match child.try_wait() {
                Ok(None) => Ok(()),
                Ok(Some(status)) => Err(ended(status)),
                Err(error) => Err(error.to_string()),
            },
            Self::Adopted(pid) if is_ours(*pid, data) => Ok(()),
            Self::Adopted(_) => Err("it has ended".to_owned()),
        }
    }

    /// Waits for its end and says how it came.
    pub(crate) async fn ended(&mut self, data: &Path) -> String {
        match self {
            Self::Child(child) => match child.wait().await {
                Ok(status) => ended(status),
                Err(error) => error.to_string(),
            },
            Self::Adopted(pid) => {
                let pid = *pid;
                while is_ours(pid, data) {
                    sleep(POLL).await;
                }
                "it has ended".to_owned()
            }
        }
    }

    /// Asks for a fast shutdown (transactions are rolled back, a checkpoint is written), then for
    /// an immediate one (the next start recovers from the log), then kills.
    pub(crate) async fn stop(&mut self, data: &Path) -> Result<(), EmbeddedError> {
        let started = Instant::now();
        let steps =
            [(Signal::INT, FAST_MAX), (Signal::QUIT, IMMEDIATE_MAX), (Signal::KILL, IMMEDIATE_MAX)];
        for (signal, limit) in steps {
            let Some(pid) = self.pid() else { return Ok(()) };
            match kill_process(pid, signal) {
                Ok(()) => {}
                Err(error) if error == Errno::SRCH => return Ok(()),
                Err(error) => {
                    let what = format!("stopping PostgreSQL (process {})", pid.as_raw_nonzero());
                    return Err(EmbeddedError::Io { what, source: io::Error::from(error) });
                }
            }
            if timeout(limit, self.ended(data)).await.is_ok() {
                tracing::debug!(elapsed_ms = started.elapsed().as_millis(), "PostgreSQL stopped");
                return Ok(());
            }
            tracing::warn!(?signal, "PostgreSQL did not stop in time");
        }
        Err(EmbeddedError::Stop(self.pid().map_or(0, |pid| pid.as_raw_nonzero().get())))
    }
}

fn ended(status: ExitStatus) -> String {
    format!("it ended with {status}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustix::process::{Pid, getpid};

    use super::{PidFile, is_ours, parse, pid_file, remove_stale_pid_file, running};

    #[test]
    fn pid_files() {
        let check = |text: &str, expected: Option<(i32, u16)>| {
            let expected =
                expected.map(|(pid, port)| PidFile { pid: Pid::from_raw(pid).unwrap(), port });
            assert_eq!(parse(text), expected);
        };
        check("4711\n/data\n1700000000\n5433\n\n127.0.0.1\n 1 2\nready\n", Some((4711, 5433)));
        check("4711\n/data\n1700000000\n", None);
        check("-4711\n/data\n1\n5433\n", None);
        check("", None);
    }

    #[test]
    fn a_file_that_names_no_process_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("postmaster.pid");
        for (text, stays) in
            [("", false), ("\0\0\0\0", false), ("garbage\n", false), ("0\n", false)]
                .into_iter()
                .chain([("4711\n/data\n", true), ("-4711\n", true)])
        {
            std::fs::write(&path, text).unwrap();
            remove_stale_pid_file(directory.path()).unwrap();
            assert_eq!(path.exists(), stays, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_said_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("postmaster.pid");
        // Nobody can read it, root neither.
        std::fs::create_dir(&path).unwrap();
        for error in [
            pid_file(directory.path()).unwrap_err(),
            running(directory.path()).unwrap_err(),
            remove_stale_pid_file(directory.path()).unwrap_err(),
        ] {
            let (text, help) = (error.to_string(), error.help().unwrap());
            assert!(text.contains(path.to_str().unwrap()), "{text}");
            assert!(!text.contains("process") && help.contains("chmod 600"), "{text}; {help}");
        }
        assert!(path.exists());
    }

    #[test]
    fn another_process_with_that_id_is_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_ours(getpid(), Path::new("/data")));
        let text = format!("{}\n/data\n1\n5433\n", getpid().as_raw_nonzero());
        std::fs::write(directory.path().join("postmaster.pid"), text).unwrap();
        remove_stale_pid_file(directory.path()).unwrap();
        assert_eq!(pid_file(directory.path()).unwrap(), None);
    }
}
