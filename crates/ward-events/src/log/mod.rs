//! The log that events go through, as relay, trigger and tools see it. What they need of one is
//! here and nothing more: append (acknowledged, in order for each key), read, where a partition
//! ends, the members of a group and their positions. Which log it is, is decided where the process
//! is put together: [`KafkaLog`] for production, [`EmbeddedLog`] where nothing is to be installed;
//! tests have one in memory (`src/tests/memory`). `tests/it/laws.rs` is what all three promise.

mod embedded;
mod health;
mod kafka;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;

pub use embedded::EmbeddedLog;
pub(crate) use health::Health;
pub use kafka::{Connection, ConnectionError, KafkaLog, Seen};

/// A record to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Records with the same key keep their order; those without one have none.
    pub key: Option<Vec<u8>>,
    /// `None` is a record without a value.
    pub value: Option<Vec<u8>>,
    /// In their order; a value may be missing.
    pub headers: Headers,
}

/// A record's headers, in their order; a value may be missing.
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The key; `None` is not the empty one.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is not the empty one.
    pub value: Option<Vec<u8>>,
    /// In their order.
    pub headers: Headers,
    /// Milliseconds since 1970, if the record has a time.
    pub timestamp_ms: Option<i64>,
}

/// The bytes of a record's parts, with something for each record itself.
fn bytes(key: Option<&Vec<u8>>, value: Option<&Vec<u8>>, headers: &Headers) -> usize {
    let headers: usize =
        headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum();
    key.map_or(0, Vec::len) + value.map_or(0, Vec::len) + headers + 64
}

/// The header of a record that takes back what was said of its key before: a log that can forgets
/// the values of all earlier records of the key in the topic (see [`Log::forgets`]). The record
/// itself stays, for consumers to learn of it, and so do others of the kind.
pub const ERASES: &str = "ward-erases";

/// The header, the only one, of a record whose value was taken back.
pub const ERASED: &str = "ward-erased";

fn has(headers: &Headers, name: &str) -> bool {
    headers.iter().any(|(own, _)| own == name)
}

/// The headers of a record whose value was taken back: its own are about what is gone.
fn erased_headers() -> Headers {
    vec![(ERASED.to_owned(), None)]
}

impl Incoming {
    /// Whether it takes back what was said of its key before.
    #[must_use]
    pub fn erases(&self) -> bool {
        self.key.is_some() && has(&self.headers, ERASES)
    }

    /// Whether its value was taken back.
    pub(crate) fn is_erased(&self) -> bool {
        self.value.is_none() && has(&self.headers, ERASED)
    }

    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        bytes(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }
}

impl Outgoing {
    /// Whether it takes back what was said of its key before.
    #[must_use]
    pub fn erases(&self) -> bool {
        self.key.is_some() && has(&self.headers, ERASES)
    }

    /// What it takes in a log, about.
    pub(crate) fn bytes(&self) -> usize {
        bytes(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }
}

/// Why a record was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The same record may pass later; or it has passed, and nobody could tell.
    #[error("{0}")]
    Later(String),
    /// This record, or one that went in a request with it, is not acceptable.
    #[error("{0}")]
    Refused(String),
    /// This record is not acceptable to this side already.
    #[error("{0}")]
    Unsendable(String),
    /// Too much is on its way.
    #[error("too much is on its way")]
    Full,
}

/// Told what became of a record, from whatever thread knows.
pub type Reply = Box<dyn FnOnce(Result<(), SendError>) + Send + Sync>;

/// Why a log does not do what it is asked to do: words that name servers, topics and settings, and
/// no records and no passwords.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Trouble {
    pub(crate) reason: String,
    /// It is about who is who, and waiting does not mend it.
    pub(crate) is_refusal: bool,
}

impl Trouble {
    pub(crate) fn passing(reason: impl ToString) -> Trouble {
        Trouble { reason: reason.to_string(), is_refusal: false }
    }
}

/// How topics are made where they are missing.
#[derive(Debug, Clone, Copy)]
pub struct TopicShape {
    /// Partitions, at least 1.
    pub partitions: u32,
    /// Copies of each partition, at least 1; what keeps them in one place has one.
    pub replicas: u32,
    /// How long a record stays at least.
    pub keep: Duration,
}

/// Where a group without a position begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// With the oldest record.
    Earliest,
    /// With what comes next.
    Latest,
}

/// A topic and a partition of it.
pub type TopicPartition = (Arc<str>, i32);

/// Which group is joined, and for what.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The group.
    pub group: String,
    /// Its topics, which have to exist.
    pub topics: Vec<String>,
    /// Where it begins when it has no position.
    pub from: StartAt,
}

/// Takes the positions to commit before partitions are somebody else's.
pub type Farewell = Box<dyn FnOnce(Vec<(TopicPartition, i64)>) + Send>;

/// What a log has to say to a member of a group.
pub enum News {
    /// Records came, of each partition in order.
    Records(Vec<Incoming>),
    /// Partitions came.
    Assigned(Vec<TopicPartition>),
    /// Partitions are being taken away; the log waits for the answer, for a while.
    Revoked(Vec<TopicPartition>, Farewell),
    /// Partitions are somebody else's already.
    Lost(Vec<TopicPartition>),
    /// The membership has ended, and why if not because it was asked to.
    Ended(Option<String>),
}

/// Whether a partition is to be fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// Not for now.
    Stop,
    /// Again, from here if anything has come of it yet.
    From(Option<i64>),
}

/// A place in a group. What it has is told as [`News`].
pub trait Member: Send {
    /// Commits positions without waiting. A log lets nobody commit for a partition that has gone
    /// to another member meanwhile.
    fn commit(&self, positions: Vec<(TopicPartition, i64)>);

    /// Whether a commit has failed since this was last asked.
    fn commit_failed(&self) -> bool;

    /// Stops fetching from partitions, or goes on with it.
    fn fetch(&self, changes: Vec<(TopicPartition, Fetch)>);

    /// Leaves the group; [`News::Ended`] comes when that is done, after the partitions were
    /// revoked. It may take a while, which nobody has to wait for.
    fn leave(self: Box<Self>);
}

/// First and one past the last offset, by partition.
pub type Ends = BTreeMap<i32, (i64, i64)>;

/// What a look came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Of each partition in order.
    pub records: Vec<Incoming>,
    /// Partitions of which nothing more was there. An offset need not have a record, the last one
    /// least of all: it may be a transaction's mark, or what a compaction left.
    pub ended: BTreeSet<i32>,
}

/// A topic that is not there and could not be made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unmade {
    /// Which.
    pub topic: String,
    /// The log's word for why.
    pub reason: String,
}

/// A look at a topic from outside of any group.
pub trait View: Send {
    /// Where the partitions began and ended when the look began.
    fn ends(&self) -> &Ends;

    /// Reads from these offsets on.
    fn begin(&mut self, starts: &BTreeMap<i32, i64>) -> Result<(), ToolError>;

    /// The next records, none where there are none for a moment. That a partition has ended is
    /// said once at least before anything more of it comes.
    fn next(&mut self) -> BoxFuture<'_, Result<Chunk, ToolError>>;

    /// The positions of the group that was named, where it has one.
    fn committed(&mut self) -> BoxFuture<'_, Result<BTreeMap<i32, i64>, ToolError>>;

    /// Whether the group has members.
    fn is_consuming(&mut self) -> BoxFuture<'_, Result<bool, ToolError>>;

    /// Moves the group, which has no members.
    fn commit(&mut self, positions: BTreeMap<i32, i64>) -> BoxFuture<'_, Result<(), ToolError>>;
}

/// Why a tool could not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The log refused, or could not be reached.
    #[error("{what}: {reason}")]
    Log {
        /// What was being done.
        what: &'static str,
        /// The log's word for it.
        reason: String,
    },
    /// There is no such topic.
    #[error("there is no topic `{0}`")]
    NoTopic(String),
    /// A group that is consuming cannot be moved.
    #[error("the group `{0}` is consuming; stop its consumers first")]
    GroupIsActive(String),
}

impl ToolError {
    pub(crate) fn log<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> ToolError {
        move |error| ToolError::Log { what, reason: error.to_string() }
    }
}

/// What events go through.
pub trait Log: Send + Sync + 'static {
    /// Hands a record over. `reply` is called once, except when this fails at once. Two records of
    /// one key keep their order if the second is handed over after the first's reply. Where a log
    /// forgets, it has when it says that it has the record which erases.
    fn append(&self, topic: &str, record: &Outgoing, reply: Reply) -> Result<(), SendError>;

    /// Makes the topics that are missing; says which could not be made. Fails when it cannot be
    /// known which there are.
    fn ensure_topics<'l>(
        &'l self,
        topics: &'l [String],
        shape: TopicShape,
    ) -> BoxFuture<'l, Result<Vec<Unmade>, Trouble>>;

    /// Joins a group.
    fn join(
        &self,
        membership: &Membership,
        news: mpsc::Sender<News>,
    ) -> Result<Box<dyn Member>, String>;

    /// Looks at a topic; `group` is whose positions are read or moved.
    fn look<'l>(
        &'l self,
        topic: &'l str,
        group: &'l str,
    ) -> BoxFuture<'l, Result<Box<dyn View>, ToolError>>;

    /// Whether what a record erases (see [`ERASES`]) is gone at once. Otherwise it is when its time
    /// is over.
    fn forgets(&self) -> bool;

    /// What it is called where people read it, as in "the Kafka broker".
    fn name(&self) -> &'static str;

    /// Whether it could be used when that was last tried; before the first time it could not.
    fn is_up(&self) -> bool;

    /// It could not be used, or it could again: said once when it changes.
    fn tried(&self, outcome: Result<(), &Trouble>);
}

/// Sends one record and waits for its answer.
pub async fn deliver(log: &dyn Log, topic: &str, record: &Outgoing) -> Result<(), SendError> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    // Nobody to tell means that the one who waits has gone.
    log.append(topic, record, Box::new(move |result| drop(reply.send(result))))?;
    let lost = || Err(SendError::Later("the log gave no answer".to_owned()));
    answer.await.unwrap_or_else(|_| lost())
}
