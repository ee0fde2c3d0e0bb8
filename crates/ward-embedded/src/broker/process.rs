//! The broker as a process: its command line, its log, its end, and being started again.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::error::EmbeddedError;
use crate::postmaster::arguments;
use crate::supervisor::open_log;

/// The first pause before a restart; it doubles up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A broker that ran this long was well, and the pauses start over.
const STABLE: Duration = Duration::from_secs(60);

/// How long an orderly end may take. Nothing depends on it: all state is in the database.
const END_MAX: Duration = Duration::from_secs(3);

/// How often a process that is not our child is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Everything needed to start the broker, again and again.
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) log: PathBuf,
    pub(super) pid_file: PathBuf,
    pub(super) database_url: String,
    pub(super) cluster: String,
    pub(super) port: u16,
}

/// The broker's command line. The storage's address is a secret and goes by the environment, which
/// other users cannot read.
pub(super) fn command(
    program: &Path,
    (cluster, port): (&str, u16),
    storage: &str,
) -> std::process::Command {
    let listener = format!("tcp://{}:{port}", Ipv4Addr::LOCALHOST);
    let mut command = std::process::Command::new(program);
    command.args(["broker", "--silent", "--cluster-id", cluster]);
    command.args(["--listener-url", &listener, "--advertised-listener-url", &listener]);
    // Nobody else is about to join: a first member need not wait for others.
    command.args(["--group-initial-rebalance-delay", "0s"]);
    command.env("STORAGE_ENGINE", planned_once(storage));
    // Its errors may quote the statement that failed, and with it records.
    command.env("RUST_LOG", "off").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// The storage's address with the server told to plan each of the broker's statements once. Left to
/// itself it plans most of them every time, for a fifth of what the broker costs it.
fn planned_once(storage: &str) -> String {
    let mark = if storage.contains('?') { '&' } else { '?' };
    format!("{storage}{mark}options=-c%20plan_cache_mode%3Dforce_generic_plan")
}

impl Launch {
    /// Starts the broker; does not wait until it answers.
    pub(super) fn spawn(&self) -> Result<Child, EmbeddedError> {
        let what = || format!("opening {}", self.log.display());
        let log = open_log(&self.log).map_err(EmbeddedError::io(what()))?;
        let errors = log.try_clone().map_err(EmbeddedError::io(what()))?;
        let place = (self.cluster.as_str(), self.port);
        let mut command = command(&self.program, place, &self.database_url);
        // A Ctrl-C at the terminal is ward's to handle.
        command.stdout(log).stderr(errors).process_group(0);
        let child = Command::from(command).spawn().map_err(EmbeddedError::io("starting nisshi"))?;
        if let Some(pid) = child.id() {
            fs::write(&self.pid_file, pid.to_string())
                .map_err(EmbeddedError::io(format!("writing {}", self.pid_file.display())))?;
        }
        Ok(child)
    }
}

/// Ends a broker of ours that was left running. A process id alone proves nothing; its command
/// line has to name our cluster.
pub(super) async fn end_leftover(pid_file: &Path, cluster: &str) -> Result<(), EmbeddedError> {
    let text = match fs::read_to_string(pid_file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(EmbeddedError::io(format!("reading {}", pid_file.display())))?,
    };
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else { return Ok(()) };
    for signal in [Signal::TERM, Signal::KILL] {
        if !is_ours(pid, cluster) {
            return Ok(());
        }
        send(pid, signal);
        let gone = async {
            while is_ours(pid, cluster) {
                sleep(POLL).await;
            }
        };
        if timeout(END_MAX, gone).await.is_ok() {
            return Ok(());
        }
    }
    Ok(())
}

fn is_ours(pid: Pid, cluster: &str) -> bool {
    let arguments = arguments(pid).unwrap_or_default();
    arguments.iter().any(|argument| argument.as_os_str() == OsStr::new(cluster))
}

/// Runs until asked to stop, or until the other end of `stop` is dropped.
pub(super) async fn supervise(
    launch: Launch,
    child: Child,
    mut stop: oneshot::Receiver<oneshot::Sender<()>>,
) {
    let mut current = Some(child);
    let mut pause = PAUSE_MIN;
    let asked = loop {
        let started = Instant::now();
        if let Some(child) = &mut current {
            tokio::select! {
                asked = &mut stop => break asked,
                status = child.wait() => {
                    let reason = status.map_or_else(|e| e.to_string(), |status| status.to_string());
                    tracing::warn!(reason, "the Kafka broker is gone; it will be started again");
                }
            }
        }
        if started.elapsed() >= STABLE {
            pause = PAUSE_MIN;
        }
        tokio::select! {
            asked = &mut stop => { current = None; break asked }
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
        current =
            launch.spawn().inspect_err(|error| tracing::error!(%error, "starting nisshi")).ok();
    };
    if let Some(child) = &mut current {
        end(child).await;
    }
    if let Err(error) = fs::remove_file(&launch.pid_file) {
        tracing::debug!(%error, "removing the broker's pid file");
    }
    if let Ok(answer) = asked
        && answer.send(()).is_err()
    {
        tracing::debug!("whoever asked for the broker's end has given up waiting");
    }
}

/// Sends a signal to a process that may have ended by itself in the meantime.
fn send(pid: Pid, signal: Signal) {
    if let Err(error) = kill_process(pid, signal) {
        tracing::debug!(%error, "a broker was not there to be ended");
    }
}

async fn end(child: &mut Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        send(pid, Signal::TERM);
    }
    if timeout(END_MAX, child.wait()).await.is_err()
        && let Err(error) = child.kill().await
    {
        tracing::warn!(%error, "the Kafka broker does not end");
    }
}
