//! The log where nothing is to be installed for it: tables in a database of its own, on the
//! PostgreSQL that is there anyway. It is as durable as that is, and several wards share it.
//!
//! Offsets appear in the order of commits, because an append takes a partition's row first and
//! counts there: a reader that asks for what comes after a position can never pass one over. A
//! partition belongs to one member of a group at a time, by a lease with a deadline and an epoch;
//! a member whose lease went to another can commit nothing for it any more. Readers of this process
//! hear of an append from the appender, those of others by a notification for many appends, and a
//! slow look finds what neither told.

mod append;
mod forget;
mod group;
mod headers;
mod lease;
mod parts;
mod schema;
mod store;
mod tides;
mod view;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{
    Health, Log, Member, Membership, News, Outgoing, Reply, SendError, ToolError, TopicShape,
    Trouble, Unmade, View,
};
use crate::database::Connect;
use crate::limits::RECORD_BYTES_MAX;
use append::{Appending, append};
use store::Store;
use tides::Tides;

/// How often records are removed whose time is over.
const REMOVE_EVERY: Duration = Duration::from_secs(60);

/// A log in PostgreSQL.
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    appends: mpsc::UnboundedSender<Appending>,
    /// What goes on for as long as the log is used.
    _tasks: JoinSet<()>,
}

/// What the log's tasks share.
struct Shared {
    /// Appends only, so that each waits for nothing but the disk.
    writing: Store,
    /// Everything else.
    reading: Store,
    tides: Tides,
    health: Health,
}

impl EmbeddedLog {
    /// The log in the database that `connect` opens, whose role owns it; tables that are missing
    /// are made. Nothing is connected before the log is used. Has to be called within a runtime.
    #[must_use]
    pub fn new(connect: Connect) -> EmbeddedLog {
        let shared = Arc::new(Shared {
            writing: Store::new(connect.clone(), true),
            reading: Store::new(connect, false),
            tides: Tides::default(),
            health: Health::new("the event log"),
        });
        let (appends, waiting) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(append(shared.clone(), waiting));
        tasks.spawn(tell_others(shared.clone()));
        tasks.spawn(hear_others(shared.clone()));
        EmbeddedLog { shared, appends, _tasks: tasks }
    }
}

impl Log for EmbeddedLog {
    fn append(&self, topic: &str, record: &Outgoing, reply: Reply) -> Result<(), SendError> {
        if record.bytes() > RECORD_BYTES_MAX {
            return Err(SendError::Unsendable("it is too large".to_owned()));
        }
        let appending = Appending { topic: topic.into(), record: record.clone(), reply };
        let gone = |_| SendError::Later("the log has ended".to_owned());
        self.appends.send(appending).map_err(gone)
    }

    fn ensure_topics<'l>(
        &'l self,
        topics: &'l [String],
        shape: TopicShape,
    ) -> BoxFuture<'l, Result<Vec<Unmade>, Trouble>> {
        Box::pin(async move {
            let made = parts::make(&self.shared.reading, topics, shape).await;
            made.map(|()| Vec::new()).map_err(|error| Trouble::passing(error.0))
        })
    }

    fn join(
        &self,
        membership: &Membership,
        news: mpsc::Sender<News>,
    ) -> Result<Box<dyn Member>, String> {
        Ok(Box::new(group::join(self.shared.clone(), membership.clone(), news)))
    }

    fn look<'l>(
        &'l self,
        topic: &'l str,
        group: &'l str,
    ) -> BoxFuture<'l, Result<Box<dyn View>, ToolError>> {
        Box::pin(view::open(self.shared.clone(), topic, group))
    }

    fn forgets(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        self.shared.health.name()
    }

    fn is_up(&self) -> bool {
        self.shared.health.is_up()
    }

    fn tried(&self, outcome: Result<(), &Trouble>) {
        match outcome {
            Ok(()) => self.shared.health.works(),
            Err(trouble) => self.shared.health.troubled(trouble),
        }
    }
}

/// Tells other wards that something was appended: once for all of some milliseconds, on its own,
/// because a server lets only one transaction at a time commit that notifies.
async fn tell_others(shared: Arc<Shared>) {
    loop {
        shared.tides.to_be_told().await;
        if let Err(error) = shared.reading.notify().await {
            // They look by themselves after a while.
            tracing::debug!(reason = error.0, "other wards were not told of an append");
        }
        tokio::time::sleep(crate::limits::NOTIFY_EVERY).await;
    }
}

/// Hears of what others appended, and removes what is too old.
async fn hear_others(shared: Arc<Shared>) {
    let mut remove_at = tokio::time::Instant::now() + REMOVE_EVERY;
    loop {
        tokio::select! {
            () = shared.reading.woken() => shared.tides.others_appended(),
            () = tokio::time::sleep_until(remove_at) => {
                if let Err(error) = parts::remove_old(&shared.reading).await {
                    tracing::debug!(reason = error.0, "old records were not removed");
                }
                remove_at = tokio::time::Instant::now() + REMOVE_EVERY;
            }
        }
    }
}
