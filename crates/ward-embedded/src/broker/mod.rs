//! Kafka for `ward up` and for tests: Nisshi, a broker that speaks Kafka's protocol and keeps
//! everything in a PostgreSQL database. It is a program of its own, built once with cargo into a
//! cache outside the target directory, because it asks for a newer toolchain than ours and takes
//! many minutes to build.

mod ephemeral;
mod install;
mod process;
mod tables;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

pub use ephemeral::EphemeralBroker;
pub use install::{NISSHI_VERSION, broker_program, install_broker};
pub use tables::drop_header_check;

use crate::cluster::{free_port, is_free};
use crate::error::EmbeddedError;
use process::{Launch, supervise};

/// The place of a broker: its address, and that nothing of an earlier one is left there.
pub struct ReservedBroker {
    state: PathBuf,
    cluster: String,
    port: u16,
}

impl ReservedBroker {
    /// Reserves the place of a state directory, which exists and is ours: the port of the last
    /// time, if it is free. A broker that a killed ward left behind is ended; it keeps nothing of
    /// its own.
    pub async fn reserve(state: &Path) -> Result<ReservedBroker, EmbeddedError> {
        let cluster = cluster_id(state);
        process::end_leftover(&state.join("nisshi.pid"), &cluster).await?;
        let port = remembered_port(&state.join("nisshi.port"))?;
        Ok(ReservedBroker { state: state.to_owned(), cluster, port })
    }

    /// `127.0.0.1:<port>`, where nobody answers until a broker is started.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// How to start a broker.
pub struct BrokerOptions {
    /// The program, from [`broker_program`].
    pub program: PathBuf,
    /// The address of the database that it keeps everything in: a secret.
    pub database_url: String,
}

/// A running, supervised broker. Call [`Broker::stop`]; a value that is only dropped asks its
/// supervisor to stop the broker, but does not wait.
pub struct Broker {
    address: String,
    stop: oneshot::Sender<oneshot::Sender<()>>,
}

impl Broker {
    /// Starts a broker and does not wait for it to answer: clients try again until it does.
    pub fn start(
        reserved: ReservedBroker,
        options: BrokerOptions,
    ) -> Result<Broker, EmbeddedError> {
        let address = reserved.address();
        let ReservedBroker { state, cluster, port } = reserved;
        let launch = Launch {
            program: options.program,
            log: state.join("nisshi.log"),
            pid_file: state.join("nisshi.pid"),
            database_url: options.database_url,
            cluster,
            port,
        };
        let child = launch.spawn()?;
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(supervise(launch, child, stopped));
        Ok(Broker { address, stop })
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Stops the broker and waits until it has.
    pub async fn stop(self) {
        let (answer, stopped) = oneshot::channel();
        // A supervisor that is gone has stopped the broker; both failures mean just that.
        if self.stop.send(answer).is_ok() {
            drop(stopped.await);
        }
    }
}

/// A name that only brokers of this state directory have: by it they are known again.
fn cluster_id(state: &Path) -> String {
    let digest = Sha256::digest(state.as_os_str().as_encoded_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("ward-{hash}")
}

/// The port of the last time, if it is free; otherwise a new one, which is remembered.
fn remembered_port(file: &Path) -> Result<u16, EmbeddedError> {
    let remembered = match fs::read_to_string(file) {
        Ok(text) => text.trim().parse().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(EmbeddedError::io(format!("reading {}", file.display()))(error));
        }
    };
    if let Some(port) = remembered.filter(|port| is_free(*port)) {
        return Ok(port);
    }
    let port = free_port()?;
    fs::write(file, format!("{port}\n"))
        .map_err(EmbeddedError::io(format!("writing {}", file.display())))?;
    Ok(port)
}
