//! What can go wrong with the embedded PostgreSQL. Each variant is one sentence for
//! the person at the terminal; `help` adds what to do about it. No password ever becomes part of
//! either.

use std::io;
use std::path::PathBuf;

use rustix::process::Pid;

use crate::install::how_to_install;

/// Why the embedded PostgreSQL could not be started, used or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// No server binaries of a usable version, and they could not be installed.
    #[error("no PostgreSQL 15 or newer was found on this machine")]
    NotInstalled,
    /// The package manager was run and failed; the text is its last line.
    #[error("PostgreSQL could not be installed: {0}")]
    Install(String),
    /// The cluster was made by another major version than any that is installed.
    #[error("{} was made by PostgreSQL {wanted}, which is not installed", data.display())]
    WrongVersion {
        /// Where the data is.
        data: PathBuf,
        /// The major version that made it.
        wanted: u32,
    },
    /// Another ward process holds this state directory.
    #[error("another ward is running on {} (process {})", state.display(), owner)]
    Locked {
        /// The state directory.
        state: PathBuf,
        /// The other process, or `unknown`.
        owner: String,
    },
    /// We are root, and there is no user to run the server as.
    #[error("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`")]
    NoAccount,
    /// The cluster belongs to another user than the one running ward.
    #[error("the data in {} belongs to user id {owner}", data.display())]
    ForeignData {
        /// Where the data is.
        data: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// A server of ours runs as another user, and would not do what it is told.
    #[error(
        "PostgreSQL runs on the data in {} (process {server}) as another user than this one",
        data.display()
    )]
    ForeignServer {
        /// Where the data is.
        data: PathBuf,
        /// The server's process.
        server: Pid,
    },
    /// There is a pid file, and this user may not read it.
    #[error(
        "{} cannot be read: {source}{}",
        file.display(),
        server.map_or(String::new(), |pid| format!("; process {pid} runs PostgreSQL on its data"))
    )]
    PidFileClosed {
        /// The file.
        file: PathBuf,
        /// The server that runs, where there is one.
        server: Option<Pid>,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A server runs, and its pid file is gone or names another process.
    #[error(
        "PostgreSQL runs on the data in {0} (process {server}), and {0}/postmaster.pid does not \
         name it",
        data.display()
    )]
    PidFileLost {
        /// Where the data is.
        data: PathBuf,
        /// The server's process.
        server: Pid,
    },
    /// There is a cluster in the state directory and another where its pointer leads.
    #[error("there is data in {} and in {}", here.display(), there.display())]
    TwoClusters {
        /// In the state directory.
        here: PathBuf,
        /// Where the pointer leads.
        there: PathBuf,
    },
    /// The pointer leads to the data of another project.
    #[error(
        "{} leads to {}, which is the data of {}",
        pointer.display(),
        home.display(),
        project.as_ref().map_or("an unknown project".to_owned(), |path| path.display().to_string())
    )]
    DataOfAnother {
        /// The file that leads there.
        pointer: PathBuf,
        /// Where it leads.
        home: PathBuf,
        /// The state directory of the other project, if that was written down.
        project: Option<PathBuf>,
    },
    /// The pointer leads to a place that has no data.
    #[error("{} says that the data is in {}, and there is none", pointer.display(), home.display())]
    DataGone {
        /// The file that leads there.
        pointer: PathBuf,
        /// Where it leads.
        home: PathBuf,
    },
    /// There is a pointer, and it says nothing.
    #[error("{} should say where the data is, and names no directory", .0.display())]
    PointerUnread(PathBuf),
    /// The file system does not keep modes, so nothing there is private.
    #[error(
        "the file system of {} has no permissions of its own: anybody could read what is there",
        .0.display()
    )]
    NoModes(PathBuf),
    /// Somebody else has the lock by which databases are made one at a time.
    #[error("{0} holds the lock for making the database {1}, and does not let go")]
    Provisioning(String, String),
    /// The cluster is there, its superuser's password is not.
    #[error(
        "{} is missing or empty, and the data beside it cannot be opened without it",
        .0.display()
    )]
    PasswordLost(PathBuf),
    /// One of PostgreSQL's programs failed; the text is the end of what it printed.
    #[error("{program} failed: {output}")]
    Program {
        /// The program's name.
        program: String,
        /// The end of its output.
        output: String,
    },
    /// The server ended or stayed silent while it was being started.
    #[error("PostgreSQL did not start: {reason}; its log is {}", log.display())]
    Start {
        /// What was seen.
        reason: String,
        /// The server's log.
        log: PathBuf,
    },
    /// Nobody wanted the server any more while it was being started.
    #[error("PostgreSQL was not wanted any more before it was ready")]
    Unwanted,
    /// The server was still there after every way of stopping it.
    #[error("PostgreSQL (process {0}) does not stop")]
    Stop(i32),
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The server refused a statement or a connection. Only the SQLSTATE and the server's primary
    /// message are kept, and those only for statements that carry no data.
    #[error("PostgreSQL: {0}")]
    Database(String),
}

impl EmbeddedError {
    /// What the person at the terminal can do about it, if there is something.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotInstalled | Self::Install(_) => Some(how_to_install()),
            Self::WrongVersion { data, wanted } => Some(format!(
                "install PostgreSQL {wanted}, or move {} away to start empty",
                data.display()
            )),
            Self::Locked { .. } => {
                Some("stop it first, or give this one a directory with --state-dir".to_owned())
            }
            Self::NoAccount => Some(
                "create one with `useradd --system postgres`, or do not run as root".to_owned(),
            ),
            Self::ForeignData { .. } => Some(
                "run ward as that user (with sudo, if that is how it was run before), or \
                      choose another --state-dir"
                    .to_owned(),
            ),
            Self::ForeignServer { server, .. } => Some(format!(
                "stop it as root: `kill -INT {server}`; the next `ward up` starts it as this user"
            )),
            Self::PidFileClosed { file, .. } => Some(format!(
                "make it this user's again: `chown {} {file}` as root, and `chmod 600 {file}`",
                rustix::process::geteuid().as_raw(),
                file = file.display()
            )),
            Self::PidFileLost { server, .. } => Some(format!(
                "it sees that itself and ends within two minutes; or stop it: `kill -INT {server}`"
            )),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "this user may not do that: run ward as the user whose it is, or choose another \
                 --state-dir"
                    .to_owned(),
            ),
            Self::NoModes(_) => Some(
                "keep the data on another: --state-dir with a directory on a disk of this system's"
                    .to_owned(),
            ),
            Self::Provisioning(..) => Some(
                "wait until it has ended; if it is nothing of yours, end it, and let only those \
                 connect to that database who have to (REVOKE CONNECT … FROM PUBLIC)"
                    .to_owned(),
            ),
            _ => self.help_with_data(),
        }
    }

    /// The same of what is wrong with where the data is.
    fn help_with_data(&self) -> Option<String> {
        match self {
            Self::TwoClusters { here, there } => Some(format!(
                "look which one you want, and move the other away: {} or {}",
                here.display(),
                there.display()
            )),
            Self::DataOfAnother { pointer, project: Some(_), .. } => Some(format!(
                "run ward there; or, for an empty database of this project's own, remove {}",
                pointer.display()
            )),
            Self::DataOfAnother { pointer, home, project: None } => Some(format!(
                "if it is this project's, write the path of {} into {}/project; if not, remove {} \
                 for an empty database",
                pointer.parent().unwrap_or(pointer).display(),
                home.display(),
                pointer.display()
            )),
            Self::DataGone { pointer, .. } => Some(format!(
                "bring it back; or, to begin with an empty database, remove {}",
                pointer.display()
            )),
            Self::PointerUnread(pointer) => Some(format!(
                "write the path of the directory that holds `postgres` into it; or, to begin \
                 with an empty database, remove {}",
                pointer.display()
            )),
            Self::PasswordLost(path) => Some(format!(
                "restore {}, or move the data directory away to start empty",
                path.display()
            )),
            _ => None,
        }
    }

    /// For `map_err`: ties an operating system error to what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

impl From<tokio_postgres::Error> for EmbeddedError {
    /// Keeps what may be said of it. `detail` is dropped: it may quote values.
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(ward_postgres::words(&error))
    }
}
