//! The outbox relay: ships the rows of a service's outbox to its topic, in order per aggregate,
//! each at least once. Start at [`RelayHandle::spawn`]; the promise and what it rests on are in
//! `queue`.

mod event;
mod handover;
mod queue;
#[cfg(test)]
mod queue_tests;
mod session;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use event::EncodeEvent;
#[cfg(test)]
pub(crate) use queue::{Lane, Queue, Row};

use crate::database::{Connect, DatabaseError};
use crate::limits::{OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, pause};
use crate::log::Log;
use crate::stats::RelayStats;
use event::Mapping;
use session::Relay;
use table::Table;

/// PostgreSQL's codes for a table, column or function that is not there.
const NOT_THAT_SHAPE: [&str; 3] = ["42P01", "42703", "42883"];

/// What one relay ships, and where.
pub struct RelayOptions {
    /// The service's name, for messages.
    pub name: String,
    /// Opens a connection to its database.
    pub connect: Connect,
    /// Turns events into bytes.
    pub encoder: Arc<dyn EncodeEvent>,
    /// The field with the aggregate's id, by its name in WIT.
    pub key: String,
    /// `ce_source` of its events.
    pub source: String,
    /// Types of events with which the log forgets what it has of their aggregate.
    pub erased_by: BTreeSet<String>,
    /// Where events go.
    pub topic: String,
    /// How long published rows stay.
    pub keep_published: Duration,
    /// Told when somebody in this process has written to the outbox.
    pub written: Arc<Notify>,
    /// Where it counts.
    pub stats: Arc<RelayStats>,
}

/// A running relay. It goes on until a stop is asked for; dropping the handle lets it run.
pub struct RelayHandle {
    task: JoinHandle<()>,
    stats: Arc<RelayStats>,
}

impl RelayHandle {
    /// Starts a relay. `stop` turning true, or its other end going away, ends it in order.
    #[must_use]
    pub fn spawn(
        options: RelayOptions,
        log: Arc<dyn Log>,
        stop: watch::Receiver<bool>,
    ) -> RelayHandle {
        let mapping = Mapping::new(options.encoder, &options.key, &options.source);
        let mapping = mapping.erased_by(options.erased_by);
        let RelayOptions { name, topic, keep_published, connect, stats, written, .. } = options;
        let relay = Relay::new((name, topic), mapping, keep_published, log, stats.clone());
        let relay = relay.woken_by(written);
        RelayHandle { task: tokio::spawn(run(relay, connect, stop)), stats }
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> &Arc<RelayStats> {
        &self.stats
    }

    /// Waits until it has ended.
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a relay ended by itself");
        }
    }
}

/// Connects again and again; each connection is a session.
async fn run(mut relay: Relay, connect: Connect, mut stop: watch::Receiver<bool>) {
    let mut failures = 0;
    while !*stop.borrow() {
        let session = tokio::select! {
            opened = open(&connect, relay.id) => opened,
            asked = stop.changed() => match asked {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let ended = match session {
            Ok(table) => {
                if failures > 0 {
                    tracing::info!(outbox = relay.name, "the database is back");
                }
                failures = 0;
                relay.session(table, &mut stop).await
            }
            Err(error) => Err(error),
        };
        let Err(error) = ended else { return };
        relay.stats.disconnected.inc_by(1);
        if failures == 0 {
            report(&relay.name, &error);
        }
        let wait = pause(failures, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX);
        failures += 1;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn open(connect: &Connect, id: Uuid) -> Result<Table, DatabaseError> {
    Table::open(connect().await?, id).await
}

fn report(name: &str, error: &DatabaseError) {
    let reason = error.0.as_str();
    if NOT_THAT_SHAPE.iter().any(|code| reason.ends_with(code)) {
        tracing::error!(
            outbox = name,
            reason,
            "the outbox table has not the shape of docs/events.md"
        );
    } else {
        tracing::warn!(outbox = name, reason, "the outbox cannot be read now; its events wait");
    }
}
