//! The consumer as librdkafka has it: one thread that does nothing but poll, so that the session
//! stays alive however slow a component is. It hands records on in chunks, and when the broker
//! takes partitions away it waits a moment for their calls to end and commits what they came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::StartAt;
use super::fetching::{Fetching, LOOK_MAX};
use super::group::Place;
use super::partition::Fetch;
use crate::client::Connection;
use crate::health;
use crate::limits::REVOKE_MAX;

/// The most records in one chunk.
const CHUNK_MAX: usize = 512;

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
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970, if the record has a time.
    pub timestamp_ms: Option<i64>,
}

impl Incoming {
    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize =
            headers.map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum();
        let part = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        part(&self.key) + part(&self.value) + headers + 64
    }

    pub(crate) fn read(message: &BorrowedMessage<'_>, topic: Arc<str>) -> Incoming {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Incoming {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
            timestamp_ms: message.timestamp().to_millis(),
        }
    }
}

/// Answers a revocation with the positions to commit.
pub(super) type Farewell = std_mpsc::SyncSender<Vec<(Place, i64)>>;

/// What the thread has to say.
pub(super) enum Event {
    /// Records came, and of these partitions nothing more is fetched.
    Records(Vec<Incoming>, Vec<Place>),
    /// Partitions came, with the position of each as far as that is known.
    Assigned(Vec<(Place, Option<i64>)>),
    /// Partitions are being taken away; the thread waits for the answer.
    Revoked(Vec<Place>, Farewell),
    /// Partitions are somebody else's already.
    Lost(Vec<Place>),
    /// The thread has ended, and why if not because it was asked to.
    Ended(Option<String>),
}

pub(super) struct Context {
    connection: Connection,
    events: mpsc::Sender<Event>,
    commit_failed: Arc<AtomicBool>,
    /// Where a group without a position begins.
    from: StartAt,
    /// The last look was spent on something other than a record, and there may be records behind.
    served: AtomicBool,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served.store(true, Ordering::Relaxed);
        health::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.served.store(true, Ordering::Relaxed);
        tracing::debug!(%error, reason, "kafka consumer");
        self.connection.health().noticed(&error, reason);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        self.served.store(true, Ordering::Relaxed);
        match rebalance {
            Rebalance::Assign(list) => {
                self.tell(Event::Assigned(self.positions(consumer, list)));
            }
            Rebalance::Revoke(list) if consumer.assignment_lost() => {
                self.tell(Event::Lost(places(list)));
            }
            Rebalance::Revoke(list) => self.revoke(consumer, places(list)),
            Rebalance::Error(error) => tracing::warn!(%error, "a rebalance failed"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.served.store(true, Ordering::Relaxed);
        match result {
            Ok(()) => self.connection.health().works(),
            // Nothing was there to be committed.
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => {
                tracing::debug!(%error, "a commit did not reach the broker");
                self.commit_failed.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl Context {
    fn tell(&self, event: Event) {
        // With nobody left to listen there is nothing to hand out, and nothing to commit.
        if self.events.blocking_send(event).is_err() {
            tracing::debug!("a consumer's partitions changed after its end");
        }
    }

    /// Where the group has got to, where that decides what is fetched.
    fn positions(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> Vec<(Place, Option<i64>)> {
        let committed = self.connection.ends().and_then(|_| {
            let committed = consumer.committed_offsets(list.clone(), LOOK_MAX);
            committed.inspect_err(|error| tracing::debug!(%error, "no positions")).ok()
        });
        let Some(committed) = committed else {
            return places(list).into_iter().map(|place| (place, None)).collect();
        };
        let position = |offset| match offset {
            Offset::Offset(offset) => Some(offset),
            Offset::Invalid if self.from == StartAt::Earliest => Some(0),
            _ => None,
        };
        let elements = committed.elements();
        let named = elements.iter().map(|element| {
            ((element.topic().into(), element.partition()), position(element.offset()))
        });
        named.collect()
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, revoked: Vec<Place>) {
        if revoked.is_empty() {
            return;
        }
        let (farewell, answer) = std_mpsc::sync_channel(1);
        self.tell(Event::Revoked(revoked, farewell));
        // Twice as long as the other side takes at most.
        let Ok(positions) = answer.recv_timeout(REVOKE_MAX * 2) else { return };
        commit(consumer, positions, CommitMode::Sync);
    }
}

fn places(list: &TopicPartitionList) -> Vec<Place> {
    let elements = list.elements();
    elements.iter().map(|element| (element.topic().into(), element.partition())).collect()
}

fn commit(consumer: &BaseConsumer<Context>, positions: Vec<(Place, i64)>, mode: CommitMode) {
    if positions.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for ((topic, partition), offset) in &positions {
        // Fails only for offsets that no record can have.
        if list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).is_err() {
            return;
        }
    }
    if let Err(error) = consumer.commit(&list, mode) {
        tracing::debug!(%error, "a commit could not be made");
        consumer.context().commit_failed.store(true, Ordering::Relaxed);
    }
}

/// A handle to the consumer and its thread.
pub(super) struct Consumer {
    inner: Arc<BaseConsumer<Context>>,
    stop: Arc<AtomicBool>,
    commit_failed: Arc<AtomicBool>,
    fetching: Arc<Fetching>,
}

impl Consumer {
    /// Joins the group and starts the thread.
    pub(super) fn start(
        connection: &Connection,
        (group, from): (&str, StartAt),
        topics: &[String],
        events: mpsc::Sender<Event>,
    ) -> Result<Consumer, String> {
        let commit_failed = Arc::new(AtomicBool::new(false));
        let context = Context {
            connection: connection.clone(),
            events: events.clone(),
            commit_failed: commit_failed.clone(),
            from,
            served: AtomicBool::new(false),
        };
        let mut inner: BaseConsumer<Context> = connection
            .consumer(group, from.reset())
            .create_with_context(context)
            .map_err(|error| format!("setting up the client: {error}"))?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        inner.subscribe(&topics).map_err(|error| format!("subscribing: {error}"))?;
        let fetching = Arc::new(Fetching::new(connection.ends().cloned()));
        if connection.ends().is_some() {
            let filling = fetching.clone();
            inner.set_nonempty_callback(move || filling.filled());
        }
        let (inner, stop) = (Arc::new(inner), Arc::new(AtomicBool::new(false)));
        let its = (inner.clone(), stop.clone(), fetching.clone());
        std::thread::Builder::new()
            .name("kafka-consumer".to_owned())
            .spawn(move || {
                let (consumer, stop, fetching) = its;
                let why = poll(&consumer, &stop, &events, &fetching);
                // Leaves the group, and tells of its partitions for the last time.
                drop(consumer);
                drop(events.blocking_send(Event::Ended(why)));
            })
            .map_err(|error| format!("starting a thread: {error}"))?;
        Ok(Consumer { inner, stop, commit_failed, fetching })
    }

    /// Commits positions without waiting.
    pub(super) fn commit(&self, positions: Vec<(Place, i64)>) {
        commit(&self.inner, positions, CommitMode::Async);
    }

    /// Whether a commit has failed since this was last asked.
    pub(super) fn commit_failed(&self) -> bool {
        self.commit_failed.swap(false, Ordering::Relaxed)
    }

    /// Stops fetching from partitions, or goes on with it, soon.
    pub(super) fn fetch(&self, changes: Vec<(Place, Fetch)>) {
        self.fetching.want(changes);
    }

    /// Asks the thread to leave the group; `Event::Ended` comes when it has.
    pub(super) fn leave(self) {
        let Consumer { inner, stop, .. } = self;
        // The last handle to the consumer has to be the thread's, because its end blocks.
        drop(inner);
        stop.store(true, Ordering::Relaxed);
    }
}

/// Polls until asked to stop, or until the client declares itself dead.
fn poll(
    consumer: &BaseConsumer<Context>,
    stop: &AtomicBool,
    events: &mpsc::Sender<Event>,
    fetching: &Fetching,
) -> Option<String> {
    fetching.begin();
    let mut looked = None;
    let mut names: BTreeMap<String, Arc<str>> = BTreeMap::new();
    let (mut chunk, mut taken) = (Vec::new(), BTreeSet::new());
    let mut idle = true;
    while !stop.load(Ordering::Relaxed) {
        // What is there already makes one chunk; only an empty queue is waited for.
        let wait = if idle && chunk.is_empty() {
            fetching.look(consumer, &mut looked);
            fetching.wait()
        } else {
            Duration::ZERO
        };
        let polled = consumer.poll(wait);
        idle = polled.is_none() && !consumer.context().served.swap(false, Ordering::Relaxed);
        match polled {
            Some(Ok(message)) => {
                let topic = message.topic();
                let name = names.entry(topic.to_owned()).or_insert_with(|| topic.into()).clone();
                chunk.push(Incoming::read(&message, name));
            }
            Some(Err(error)) => {
                if let Some((code, reason)) = consumer.client().fatal_error() {
                    return Some(format!("{code}: {reason}"));
                }
                tracing::debug!(%error, "the consumer cannot fetch now");
            }
            None => {}
        }
        let full = chunk.len() >= CHUNK_MAX;
        if idle || full {
            fetching.carry_out(consumer, idle);
            let records = std::mem::take(&mut chunk);
            let stopped = fetching.stop(consumer, &records, &mut taken, idle);
            let nothing = records.is_empty() && stopped.is_empty();
            if !nothing && events.blocking_send(Event::Records(records, stopped)).is_err() {
                return None;
            }
        }
    }
    None
}
