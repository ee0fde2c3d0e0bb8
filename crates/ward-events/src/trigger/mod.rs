//! The trigger: reads topics as a consumer group, hands records to a component in batches,
//! and commits what it has answered for. Start at [`TriggerHandle::spawn`]; the promises and what
//! they rest on are in `partition`.

pub(crate) mod dead_letter;
mod group;
mod partition;
#[cfg(test)]
mod partition_tests;
mod run;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use ward_wire::Value;

pub use dead_letter::DeadLetter;
pub use partition::{CallError, Outcome};

use crate::limits::{OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, pause};
use crate::log::{Log, StartAt};
use crate::stats::TriggerStats;
use crate::wire::EventType;

/// A component's function that takes deliveries.
pub trait Consume: Send + Sync + 'static {
    /// Calls it with its one argument, the list of deliveries. What bounds the call in time is the
    /// implementation's; a call that never ends holds up its partition.
    fn consume(&self, arguments: Vec<Value>) -> BoxFuture<'static, Result<Value, CallError>>;

    /// Which build of the component answers, for dead letters.
    fn revision(&self) -> String;
}

/// The component's function as it is now.
pub type Consumer = Box<dyn Fn() -> Arc<dyn Consume> + Send + Sync>;

/// What one trigger consumes, and how.
pub struct TriggerOptions {
    /// The trigger's id, for messages.
    pub id: String,
    /// The component, for dead letters.
    pub component: String,
    /// The consumer group.
    pub group: String,
    /// Its topics.
    pub topics: Vec<String>,
    /// Where the group begins when it has no position.
    pub from: StartAt,
    /// The most records in one call; at least 1.
    pub batch_records_max: usize,
    /// How long a batch that is not full waits for more.
    pub batch_wait: Duration,
    /// The most calls at a time; at least 1.
    pub concurrency: usize,
    /// How often a record may fail while others pass.
    pub retries: u32,
    /// How long a record is tried when nothing passes.
    pub patience: Duration,
    /// The topic for what cannot be consumed of a topic.
    pub dead_letter_of: Box<dyn Fn(&str) -> String + Send + Sync>,
    /// How values are read.
    pub event: EventType,
    /// What is called.
    /// Asked for each call: what has begun with one build of the component ends with it.
    pub consume: Consumer,
    /// Where it counts.
    pub stats: Arc<TriggerStats>,
}

/// A running trigger. It goes on until a stop is asked for; dropping the handle lets it run.
pub struct TriggerHandle {
    task: JoinHandle<()>,
    stats: Arc<TriggerStats>,
}

impl TriggerHandle {
    /// Starts a trigger, whose topics have to exist. `stop` turning true, or its other end going
    /// away, ends it in order: calls under way are waited for, positions are committed, the group
    /// is left.
    #[must_use]
    pub fn spawn(
        options: TriggerOptions,
        log: Arc<dyn Log>,
        stop: watch::Receiver<bool>,
    ) -> TriggerHandle {
        let stats = options.stats.clone();
        let task = tokio::spawn(run(Arc::new(options), log, stop));
        TriggerHandle { task, stats }
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> &Arc<TriggerStats> {
        &self.stats
    }

    /// Waits until it has ended.
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a trigger ended by itself");
        }
    }
}

/// Consumes again and again: a client that gave up is replaced.
async fn run(options: Arc<TriggerOptions>, log: Arc<dyn Log>, mut stop: watch::Receiver<bool>) {
    let mut failures = 0;
    while !*stop.borrow() {
        let ended = run::session(&options, &log, &mut stop).await;
        let Err(reason) = ended else { return };
        tracing::error!(
            trigger = options.id,
            reason,
            "the consumer gave up; another takes its place"
        );
        let wait = pause(failures, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX);
        failures += 1;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            asked = stop.changed() => if asked.is_err() { return },
        }
    }
}
