//! A throwaway broker for tests, which goes away with its owner however that ends: a shell between
//! the two waits on a pipe. It can also be killed, stopped and started again, as tests of outages
//! want it. It is Nisshi, or what `WARD_TEST_BROKER` names: a program that serves Kafka's protocol
//! on the loopback port that is its first argument, with its files in the directory that is its
//! second.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::NoTls;

use super::install::install_broker;
use super::process::command;
use super::tables::drop_header_check;
use crate::cluster::free_port;
use crate::error::EmbeddedError;
use crate::postgres::{blocking, quiet};

/// Does what it is told, one word a line, and says when it has; ends the broker when the pipe
/// closes. `$1` is a directory, which is removed in the end; the rest is the broker's command line.
const GUARDIAN: &str = r#"
directory=$1; shift
child=
start() { "$@" </dev/null >>"$directory/log" 2>&1 & child=$!; }
end() { [ -n "$child" ] && kill -9 "$child" && wait "$child"; child=; }
while read -r word; do
  case $word in
    start) start "$@" ;;
    kill) end ;;
    stop) kill -STOP "$child" ;;
    continue) kill -CONT "$child" ;;
  esac
  echo done
done
end
rm -rf "$directory"
"#;

/// A cold start makes tables first, or files.
const READY_MAX: Duration = Duration::from_secs(60);

/// Between two looks whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A broker for tests, on a port of its own.
pub struct EphemeralBroker {
    port: u16,
    is_nisshi: bool,
    shell: Child,
    pipes: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    directory: PathBuf,
}

impl EphemeralBroker {
    /// Starts a broker, with its storage in the PostgreSQL database of this address if it is
    /// Nisshi, and waits until it answers. Builds the program first where it is missing.
    pub async fn start(storage: &str) -> Result<EphemeralBroker, EmbeddedError> {
        let address = storage.to_owned();
        let broker = blocking(move || EphemeralBroker::prepare(&address)).await?;
        broker.tell("start");
        broker.ready().await?;
        if broker.is_nisshi {
            lighten(storage).await?;
        }
        Ok(broker)
    }

    fn prepare(storage: &str) -> Result<EphemeralBroker, EmbeddedError> {
        let port = free_port()?;
        let temporary = tempfile::Builder::new()
            .prefix("ward-broker-")
            .tempdir()
            .map_err(EmbeddedError::io("creating a temporary directory"))?;
        let directory = temporary.path();
        let other = env::var_os("WARD_TEST_BROKER");
        let broker = match &other {
            Some(program) => {
                let mut other = Command::new(program);
                other.arg(port.to_string()).arg(directory.join("data"));
                other
            }
            None => command(&install_broker(&quiet())?, ("ward-test", port), storage),
        };
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", GUARDIAN, "ward-guardian"]).arg(directory);
        shell.arg(broker.get_program()).args(broker.get_args());
        for (name, value) in broker.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let mut shell = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(EmbeddedError::io("starting /bin/sh"))?;
        let pipes = shell.stdin.take().zip(shell.stdout.take().map(BufReader::new));
        Ok(EphemeralBroker {
            port,
            is_nisshi: other.is_none(),
            shell,
            pipes: Mutex::new(pipes),
            directory: temporary.keep(),
        })
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whether it is the broker that `ward up` runs.
    #[must_use]
    pub fn is_nisshi(&self) -> bool {
        self.is_nisshi
    }

    /// Where its log is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&self) {
        self.tell("kill");
    }

    /// Stops it in place: it answers nothing and closes nothing.
    pub fn freeze(&self) {
        self.tell("stop");
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        self.tell("continue");
    }

    /// Starts it again after [`EphemeralBroker::kill`], at the same address.
    pub fn start_again(&self) {
        self.tell("start");
    }

    /// Waits until it takes connections.
    pub async fn ready(&self) -> Result<(), EmbeddedError> {
        let deadline = Instant::now() + READY_MAX;
        while tokio::net::TcpStream::connect(self.address()).await.is_err() {
            if Instant::now() >= deadline {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                return Err(EmbeddedError::BrokerInstall(crate::command::tail(&log)));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn tell(&self, word: &str) {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((input, output)) = pipes.as_mut() else { return };
        let told = writeln!(input, "{word}").and_then(|()| output.read_line(&mut String::new()));
        if let Err(error) = told {
            tracing::warn!(%error, "a test's broker does not obey");
        }
    }
}

/// As `ward up` does it.
async fn lighten(storage: &str) -> Result<(), EmbeddedError> {
    let (client, connection) = tokio_postgres::connect(storage, NoTls).await?;
    tokio::spawn(connection);
    while !drop_header_check(&client).await? {
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

impl Drop for EphemeralBroker {
    fn drop(&mut self) {
        drop(self.pipes.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Err(error) = self.shell.wait() {
            tracing::warn!(%error, "waiting for a test's broker to end");
        }
    }
}
