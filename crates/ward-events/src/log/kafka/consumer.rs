//! The consumer as librdkafka has it: one thread that does nothing but poll, so that the session
//! stays alive however slow a component is. It hands records on in chunks, and when the broker
//! takes partitions away it waits a moment for their calls to end and commits what they came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::connection::Connection;
use super::trouble;
use crate::limits::REVOKE_MAX;
use crate::log::{Fetch, Incoming, Member, Membership, News, StartAt, TopicPartition};

/// How long a look for records waits when there are none, and with it how late a stop is noticed.
const POLL: Duration = Duration::from_millis(100);

/// The most records in one chunk.
const CHUNK_MAX: usize = 512;

/// A message as everybody else here knows it.
pub(super) fn read(message: &BorrowedMessage<'_>, topic: Arc<str>) -> Incoming {
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

struct Context {
    connection: Connection,
    news: mpsc::Sender<News>,
    commit_failed: Arc<AtomicBool>,
    /// What this member has. A broker takes a commit from any member of the group, whosever the
    /// partition is.
    held: Mutex<BTreeSet<TopicPartition>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        trouble::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka consumer");
        trouble::noticed(self.connection.health(), &error, reason);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                self.hold(|held| held.extend(places(list)));
                self.tell(News::Assigned(places(list)));
            }
            Rebalance::Revoke(list) => {
                match consumer.assignment_lost() {
                    true => self.tell(News::Lost(places(list))),
                    false => self.revoke(consumer, places(list)),
                }
                let gone = places(list);
                self.hold(|held| held.retain(|place| !gone.contains(place)));
            }
            Rebalance::Error(error) => tracing::warn!(%error, "a rebalance failed"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
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
    fn tell(&self, news: News) {
        // With nobody left to listen there is nothing to hand out, and nothing to commit.
        if self.news.blocking_send(news).is_err() {
            tracing::debug!("a consumer's partitions changed after its end");
        }
    }

    fn hold<T>(&self, change: impl FnOnce(&mut BTreeSet<TopicPartition>) -> T) -> T {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, revoked: Vec<TopicPartition>) {
        if revoked.is_empty() {
            return;
        }
        let (farewell, answer) = std_mpsc::sync_channel(1);
        // The other end has given up waiting when it is not there.
        let farewell = Box::new(move |positions| drop(farewell.try_send(positions)));
        self.tell(News::Revoked(revoked, farewell));
        // Twice as long as the other side takes at most.
        let Ok(positions) = answer.recv_timeout(REVOKE_MAX * 2) else { return };
        commit(consumer, positions, CommitMode::Sync);
    }
}

fn places(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let elements = list.elements();
    elements.iter().map(|element| (element.topic().into(), element.partition())).collect()
}

fn commit(
    consumer: &BaseConsumer<Context>,
    positions: Vec<(TopicPartition, i64)>,
    mode: CommitMode,
) {
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
}

impl Consumer {
    /// Joins the group and starts the thread.
    pub(super) fn start(
        connection: &Connection,
        membership: &Membership,
        news: mpsc::Sender<News>,
    ) -> Result<Consumer, String> {
        let commit_failed = Arc::new(AtomicBool::new(false));
        let context = Context {
            connection: connection.clone(),
            news: news.clone(),
            commit_failed: commit_failed.clone(),
            held: Mutex::default(),
        };
        let inner: BaseConsumer<Context> = connection
            .consumer(&membership.group, reset(membership.from))
            .create_with_context(context)
            .map_err(|error| format!("setting up the client: {error}"))?;
        let topics: Vec<&str> = membership.topics.iter().map(String::as_str).collect();
        inner.subscribe(&topics).map_err(|error| format!("subscribing: {error}"))?;
        let (inner, stop) = (Arc::new(inner), Arc::new(AtomicBool::new(false)));
        let its = (inner.clone(), stop.clone());
        std::thread::Builder::new()
            .name("kafka-consumer".to_owned())
            .spawn(move || {
                let (consumer, stop) = its;
                let why = poll(&consumer, &stop, &news);
                // Leaves the group, and tells of its partitions for the last time.
                drop(consumer);
                drop(news.blocking_send(News::Ended(why)));
            })
            .map_err(|error| format!("starting a thread: {error}"))?;
        Ok(Consumer { inner, stop, commit_failed })
    }
}

/// As the client's setting has it.
fn reset(from: StartAt) -> &'static str {
    match from {
        StartAt::Earliest => "earliest",
        StartAt::Latest => "latest",
    }
}

impl Member for Consumer {
    fn commit(&self, mut positions: Vec<(TopicPartition, i64)>) {
        // Nothing is taken away meanwhile.
        self.inner.context().hold(|held| {
            positions.retain(|(place, _)| held.contains(place));
            commit(&self.inner, positions, CommitMode::Async);
        });
    }

    fn commit_failed(&self) -> bool {
        self.commit_failed.swap(false, Ordering::Relaxed)
    }

    fn fetch(&self, changes: Vec<(TopicPartition, Fetch)>) {
        let (mut stop, mut go) = (TopicPartitionList::new(), TopicPartitionList::new());
        // A partition that goes on is looked at again within a second only, unless the client is
        // told where to begin. What comes twice by that is known by its offset.
        let mut seek = TopicPartitionList::new();
        for ((topic, partition), fetch) in changes {
            match fetch {
                Fetch::Stop => drop(stop.add_partition(&topic, partition)),
                Fetch::From(position) => {
                    go.add_partition(&topic, partition);
                    let position = position.map(Offset::Offset);
                    // Fails only for offsets that no record can have.
                    drop(position.map(|at| seek.add_partition_offset(&topic, partition, at)));
                }
            }
        }
        let stopped = if stop.count() > 0 { self.inner.pause(&stop) } else { Ok(()) };
        let gone_on = if go.count() > 0 { self.inner.resume(&go) } else { Ok(()) };
        let sought = match seek.count() {
            0 => Ok(()),
            // Without waiting for it.
            _ => self.inner.seek_partitions(seek, Duration::ZERO).map(drop),
        };
        if let Err(error) = stopped.and(gone_on).and(sought) {
            tracing::debug!(%error, "a partition could not be stopped or go on");
        }
    }

    fn leave(self: Box<Self>) {
        let Consumer { inner, stop, .. } = *self;
        // The last handle to the consumer has to be the thread's, because its end blocks.
        drop(inner);
        stop.store(true, Ordering::Relaxed);
    }
}

/// Polls until asked to stop, or until the client declares itself dead.
fn poll(
    consumer: &BaseConsumer<Context>,
    stop: &AtomicBool,
    news: &mpsc::Sender<News>,
) -> Option<String> {
    let mut names: BTreeMap<String, Arc<str>> = BTreeMap::new();
    let mut chunk = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        // What is there already makes one chunk; only an empty queue is waited for.
        let wait = if chunk.is_empty() { POLL } else { Duration::ZERO };
        let polled = consumer.poll(wait);
        let nothing = polled.is_none();
        match polled {
            Some(Ok(message)) => {
                let topic = message.topic();
                let name = names.entry(topic.to_owned()).or_insert_with(|| topic.into()).clone();
                chunk.push(read(&message, name));
            }
            Some(Err(error)) => {
                if let Some((code, reason)) = consumer.client().fatal_error() {
                    return Some(format!("{code}: {reason}"));
                }
                tracing::debug!(%error, "the consumer cannot fetch now");
            }
            None => {}
        }
        if (nothing && !chunk.is_empty()) || chunk.len() >= CHUNK_MAX {
            let records = News::Records(std::mem::take(&mut chunk));
            if news.blocking_send(records).is_err() {
                return None;
            }
        }
    }
    None
}
