//! The Kafka broker that `ward up` runs where the user names none: its address is known from the
//! start, the broker itself comes when it can. Nothing waits for it, and its absence is said once.

use std::future::pending;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use ward_embedded::{
    Broker, BrokerOptions, ReservedBroker, broker_program, drop_header_check, install_broker,
};
use ward_kafka::limits::pause;

use crate::database::connect;
use crate::failure::Failure;
use crate::progress::Progress;

/// Between two lines of a build that goes on in the background.
const BETWEEN_NOTES: Duration = Duration::from_secs(30);

/// Between two looks at a broker's tables, which it makes within a second; longer after failures.
const LOOK_MIN: Duration = Duration::from_millis(500);
const LOOK_MAX: Duration = Duration::from_secs(60);

/// A broker that runs, or is being built.
pub(crate) struct LocalBroker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl LocalBroker {
    /// Takes up the broker's address and starts it, as soon as it is there. `install` builds it
    /// where it is missing.
    pub(crate) fn start(
        reserved: ReservedBroker,
        database_url: String,
        install: bool,
        progress: Progress,
    ) -> LocalBroker {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(run(reserved, database_url, install, progress, stopped));
        LocalBroker { stop, task }
    }

    /// Stops it, and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "stopping the Kafka broker");
        }
    }
}

async fn run(
    reserved: ReservedBroker,
    database_url: String,
    install: bool,
    progress: Progress,
    mut stop: watch::Receiver<bool>,
) {
    let found = tokio::select! {
        found = find(install, progress) => found,
        // Its other end going away is a stop as well.
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let started = found.and_then(|program| {
        let options = BrokerOptions { program, database_url: database_url.clone() };
        Broker::start(reserved, options).map_err(Failure::from)
    });
    match started {
        Ok(broker) => {
            progress.say(&format!("Kafka broker at {}", broker.address()));
            let never = async {
                lighten(&database_url).await;
                pending::<()>().await;
            };
            tokio::select! {
                () = never => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            broker.stop().await;
        }
        Err(failure) => {
            let help = failure.advice().map(|help| format!("; {help}")).unwrap_or_default();
            let text = failure.messages().join("; ");
            tracing::warn!("no Kafka broker, so events wait in their outboxes: {text}{help}");
        }
    }
}

/// Makes the broker's tables cheaper to write, once it has made them. It serves without that too.
async fn lighten(database_url: &str) {
    let mut failures = 0;
    loop {
        match light(database_url).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(failure) => {
                if failures == 0 {
                    let text = failure.messages().join("; ");
                    tracing::warn!("the broker's tables stay as they are for now: {text}");
                }
                failures += 1;
            }
        }
        sleep(pause(failures, LOOK_MIN, LOOK_MAX)).await;
    }
}

async fn light(database_url: &str) -> Result<bool, Failure> {
    let client = connect(database_url).await?;
    Ok(drop_header_check(&client).await?)
}

/// The program, built first if that is wanted.
async fn find(install: bool, progress: Progress) -> Result<PathBuf, Failure> {
    if let Some(program) = broker_program() {
        return Ok(program);
    }
    if !install {
        return Err(Failure::new("the broker Nisshi is not installed")
            .help("give one with --kafka-brokers, or have it built with --install-broker"));
    }
    progress.say("building the Kafka broker in the background; events wait in their outboxes");
    let notes = now_and_then(progress);
    let building = tokio::task::spawn_blocking(move || install_broker(&notes));
    Ok(building.await.map_err(Failure::because("building the Kafka broker"))??)
}

/// Passes on a line from time to time: a build has a thousand.
fn now_and_then(progress: Progress) -> ward_embedded::Progress {
    let last = Mutex::new(None);
    Arc::new(move |line: &str| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last: Instant| last.elapsed() >= BETWEEN_NOTES) {
            *last = Some(Instant::now());
            progress.say(line);
        }
    })
}
