//! Keeps the server running: a task that waits for its end, starts it again with growing pauses,
//! and stops it when asked to or when its owner is gone.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::binaries::Installation;
use crate::cluster::{self, Durability};
use crate::error::EmbeddedError;
use crate::place::ClusterFiles;
use crate::postmaster::{Server, remove_stale_pid_file};

/// The first pause before a restart; it doubles up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A server that ran this long was well, and the pauses start over.
const STABLE: Duration = Duration::from_secs(60);

/// A log larger than this becomes `postgres.log.1` at the next start.
const LOG_BYTES_MAX: u64 = 10 << 20;

/// Everything needed to start the server, again and again.
#[derive(Clone)]
pub(crate) struct Launch {
    pub(crate) place: ClusterFiles,
    pub(crate) installation: Installation,
    pub(crate) port: u16,
    pub(crate) log: PathBuf,
}

impl Launch {
    /// Starts the server; does not wait until it answers.
    pub(crate) fn spawn(&self) -> Result<Server, EmbeddedError> {
        remove_stale_pid_file(&self.place.data)?;
        let what = || format!("opening {}", self.log.display());
        let log = open_log(&self.log).map_err(EmbeddedError::io(what()))?;
        let errors = log.try_clone().map_err(EmbeddedError::io(what()))?;
        let mut command =
            cluster::server(&self.place, &self.installation, self.port, Durability::Full);
        // In a process group of its own: a Ctrl-C at the terminal is ward's to handle, which stops
        // the server last.
        command.stdout(log).stderr(errors).process_group(0);
        let child =
            Command::from(command).spawn().map_err(EmbeddedError::io("starting postgres"))?;
        Ok(Server::Child(child))
    }
}

/// Opens a log to write on, readable by its owner only.
pub(crate) fn open_log(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// What is written to a log from some moment on.
pub(crate) struct LogTail {
    path: PathBuf,
    from: u64,
}

impl LogTail {
    pub(crate) fn from_now(path: &Path) -> LogTail {
        let from = fs::metadata(path).map_or(0, |meta| meta.len());
        LogTail { path: path.to_owned(), from: if from > LOG_BYTES_MAX { 0 } else { from } }
    }

    /// The last thing the server said that it could not live with. Its log has no data in it.
    pub(crate) fn fatal(&self) -> Option<String> {
        let mut file = File::open(&self.path).ok()?;
        file.seek(SeekFrom::Start(self.from)).ok()?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().rev().find_map(|line| line.split_once("FATAL:"))?;
        Some(line.1.trim().to_owned())
    }
}

/// Asks the supervisor to stop the server; the answer comes back when it has.
pub(crate) type StopRequest = oneshot::Sender<Result<(), EmbeddedError>>;

/// Runs until asked to stop, or until the other end of `stop` is dropped.
pub(crate) async fn supervise(
    launch: Launch,
    server: Server,
    mut stop: oneshot::Receiver<StopRequest>,
) {
    let data = launch.place.data.clone();
    let mut current = Some(server);
    let mut pause = PAUSE_MIN;
    let request = loop {
        let started = Instant::now();
        match &mut current {
            Some(server) => tokio::select! {
                request = &mut stop => break request,
                reason = server.ended(&data) => {
                    tracing::error!(%reason, "PostgreSQL is gone; it will be started again");
                }
            },
            None => tracing::error!("PostgreSQL could not be started; trying again"),
        }
        if started.elapsed() >= STABLE {
            pause = PAUSE_MIN;
        }
        tokio::select! {
            request = &mut stop => { current = None; break request }
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
        current = match launch.spawn() {
            Ok(server) => Some(server),
            Err(error) => {
                tracing::error!(%error, "starting PostgreSQL");
                None
            }
        };
    };
    let result = match &mut current {
        Some(server) => server.stop(&data).await,
        None => Ok(()),
    };
    match request {
        // The answer is not wanted any more when the one who asked has given up waiting.
        Ok(answer) => drop(answer.send(result)),
        Err(_) => {
            if let Err(error) = result {
                tracing::error!(%error, "stopping PostgreSQL");
            }
        }
    }
}
