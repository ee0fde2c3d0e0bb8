//! A broker that speaks Kafka's protocol, so that the Kafka log is tested over the wire. It is
//! Nisshi, which is one program and keeps its records in a PostgreSQL database, or what
//! `WARD_TEST_BROKER` names: a program that serves Kafka's protocol on the loopback port that is
//! its first argument, with its files in the directory that is its second. Only tests use it. It
//! goes away with its owner however that ends: a shell between the two waits on a pipe. It can be
//! killed, stopped and started again, as tests of outages want it.

mod install;

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

pub use install::install;

/// Does what it is told, one word a line, and says when it has; ends the broker when the pipe
/// closes. `$1` is a directory, which is removed in the end, `$2` the program, and the rest its
/// arguments. Root's broker runs as nobody, who may not reach the program by its name: it is opened
/// before.
const GUARDIAN: &str = r#"
directory=$1; program=$2; shift 2
child=
if [ "$(id -u)" = 0 ] && [ -n "$BROKER_UNPRIVILEGED" ]; then
  exec 3<"$program"
  set -- setpriv --reuid=65534 --regid=65534 --clear-groups /proc/self/fd/3 "$@"
else
  set -- "$program" "$@"
fi
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

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
#[error("the tests' Kafka broker could not be built or started: {0}")]
pub struct BrokerError(String);

impl BrokerError {
    fn because(what: &'static str) -> impl Fn(io::Error) -> BrokerError {
        move |error| BrokerError(format!("{what}: {error}"))
    }
}

/// A broker for tests, on a port of its own.
pub struct TestBroker {
    port: u16,
    shell: Child,
    pipes: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    directory: PathBuf,
}

impl TestBroker {
    /// Starts a broker, with its storage in the PostgreSQL database of this address if it is
    /// Nisshi, and waits until it answers. Builds the program first where it is missing.
    pub async fn start(storage: &str) -> Result<TestBroker, BrokerError> {
        let address = storage.to_owned();
        let prepared = tokio::task::spawn_blocking(move || TestBroker::prepare(&address)).await;
        let broker = prepared.map_err(|error| BrokerError(error.to_string()))??;
        broker.tell("start");
        broker.ready().await?;
        Ok(broker)
    }

    fn prepare(storage: &str) -> Result<TestBroker, BrokerError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let port = listener.and_then(|listener| listener.local_addr());
        let port = port.map_err(BrokerError::because("finding a port"))?.port();
        let temporary = tempfile::Builder::new()
            .prefix("ward-broker-")
            .tempdir()
            .map_err(BrokerError::because("creating a temporary directory"))?;
        let directory = temporary.path();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", GUARDIAN, "ward-guardian"]).arg(directory);
        match env::var_os("WARD_TEST_BROKER") {
            Some(program) => {
                shell.arg(program).arg(port.to_string()).arg(directory.join("data"));
            }
            None => nisshi(&mut shell, &install(&|_| ())?, port, storage),
        }
        let mut shell = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .map_err(BrokerError::because("starting /bin/sh"))?;
        let pipes = shell.stdin.take().zip(shell.stdout.take().map(BufReader::new));
        let directory = temporary.keep();
        Ok(TestBroker { port, shell, pipes: Mutex::new(pipes), directory })
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
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

    /// Starts it again after [`TestBroker::kill`], at the same address.
    pub fn start_again(&self) {
        self.tell("start");
    }

    /// Waits until it takes connections.
    async fn ready(&self) -> Result<(), BrokerError> {
        let deadline = Instant::now() + READY_MAX;
        while tokio::net::TcpStream::connect(self.address()).await.is_err() {
            if Instant::now() >= deadline {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it says nothing");
                return Err(BrokerError(last.to_owned()));
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

/// Nisshi's command line. The storage's address is a secret and goes by the environment, which
/// other users cannot read.
fn nisshi(shell: &mut Command, program: &Path, port: u16, storage: &str) {
    let listener = format!("tcp://{}:{port}", Ipv4Addr::LOCALHOST);
    shell.arg(program).args(["broker", "--silent", "--cluster-id", "ward-test"]);
    shell.args(["--listener-url", &listener, "--advertised-listener-url", &listener]);
    // Nobody else is about to join: a first member need not wait for others.
    shell.args(["--group-initial-rebalance-delay", "0s"]);
    // The server plans each of the broker's statements once: left to itself it plans most of them
    // every time, for a fifth of what the broker costs it.
    let mark = if storage.contains('?') { '&' } else { '?' };
    let planned = format!("{storage}{mark}options=-c%20plan_cache_mode%3Dforce_generic_plan");
    shell.env("STORAGE_ENGINE", planned).env("BROKER_UNPRIVILEGED", "1");
    shell.env("RUST_LOG", "off").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        drop(self.pipes.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Err(error) = self.shell.wait() {
            tracing::warn!(%error, "waiting for a test's broker to end");
        }
    }
}
