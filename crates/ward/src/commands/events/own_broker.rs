//! The broker that `ward up` runs, for a command on it: a running ward's, or one that is started
//! for the command and stopped after it. A group can be moved only while no ward consumes, and then
//! nobody else runs that broker.

use std::fs;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};
use ward_embedded::{Postgres, StateLock, broker_program};

use crate::application::Application;
use crate::broker::LocalBroker;
use crate::cli::ConfigArgs;
use crate::events::{BROKERS, BrokerKind};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::provision::Provision;

/// How long a broker may take to listen, and how often it is looked at.
const START_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where the broker is, and what has to be stopped after the command.
pub(super) struct OwnBroker {
    /// `127.0.0.1:<port>`; `None` where this state directory never had one.
    pub(super) address: Option<String>,
    started: Option<Started>,
}

struct Started {
    runtime: Runtime,
    provision: Provision,
    broker: Option<LocalBroker>,
}

impl OwnBroker {
    /// Finds the broker of the application's state directory. Where no ward runs it is started, if
    /// the user names none; a command that goes on until it is interrupted (`is_endless`) could not
    /// stop it again and has to do without.
    pub(super) fn find(
        application: &Application,
        config: &ConfigArgs,
        is_endless: bool,
    ) -> Result<OwnBroker, Failure> {
        let port = fs::read_to_string(application.state.join("nisshi.port")).ok();
        let address = port.map(|port| format!("127.0.0.1:{}", port.trim()));
        let admin_url = config.database_url.as_deref();
        // Its records are in the PostgreSQL that it had; a new and empty one is of no use.
        let has_records = admin_url.is_some() || Postgres::exists(&application.state);
        let was_there = address.is_some() && has_records && broker_program().is_some();
        let is_given = match &application.app.kafka {
            Some(settings) => BrokerKind::of(application, settings)? == BrokerKind::Given,
            None => true,
        };
        if !was_there || is_endless || is_given || is_running(application) {
            return Ok(OwnBroker { address, started: None });
        }
        start(application, admin_url)
    }

    /// Stops what was started.
    pub(super) fn stop(self) -> Result<(), Failure> {
        let Some(Started { runtime, provision, broker }) = self.started else { return Ok(()) };
        runtime.block_on(async {
            if let Some(broker) = broker {
                broker.stop().await;
            }
            provision.stop(Progress::Quiet).await
        })
    }
}

/// Whether a ward has the state directory. Where that cannot be told, its broker is asked and its
/// silence is the message.
fn is_running(application: &Application) -> bool {
    StateLock::acquire(&application.state).is_err()
}

fn start(application: &Application, admin_url: Option<&str>) -> Result<OwnBroker, Failure> {
    let runtime = crate::commands::runtime()?;
    let (provision, broker) = runtime.block_on(async {
        let mut provision = Provision::new(application, admin_url, Progress::Quiet).await?;
        let broker = provision.broker(application, admin_url, false, Progress::Quiet).await;
        Ok::<_, Failure>((provision, broker))
    })?;
    let address = provision.values.get(BROKERS).cloned();
    if let Some(address) = &address {
        runtime.block_on(answer(address));
    }
    Ok(OwnBroker { address, started: Some(Started { runtime, provision, broker }) })
}

/// Waits until somebody listens there, for a while: where nobody does, a command's client gives up
/// at once, and has the better words for it.
async fn answer(address: &str) {
    let deadline = Instant::now() + START_MAX;
    while TcpStream::connect(address).await.is_err() && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
}
