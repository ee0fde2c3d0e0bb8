//! From which partitions a consumer fetches, and how often its thread takes what has come.
//!
//! With most brokers a consumer has a request for more under way at all times, and the broker
//! answers when there is something. With one that looks again and again instead (see
//! [`crate::ends`]) nothing is asked for that is not there: a partition is stopped when its records
//! have come, and goes on when there are more. For that, records stay in the client for a moment:
//! having received some, it asks for more unless it sees that it still has them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::Incoming;
use super::group::Place;
use super::partition::Fetch;
use crate::ends::Ends;
use crate::limits::LOOK_EVERY;

/// How long a look for records waits when there are none, and with it how late a stop is noticed.
const POLL: Duration = Duration::from_millis(100);

/// How long records stay in the client where only what is there is fetched: it decides within
/// tenths of this whether to ask for more.
const SETTLE: Duration = Duration::from_millis(1);

/// How long the broker may take to say where partitions end, or where a group has got to.
pub(super) const LOOK_MAX: Duration = Duration::from_secs(2);

/// What the session, the client and the consumer's thread share.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    /// Where partitions end, if that decides what is fetched.
    ends: Option<Arc<Ends>>,
    /// What the session wants of partitions, until the thread has carried it out. Only the last
    /// word on each counts: stops and goings-on are carried out together, in no order of their own.
    wanted: Mutex<BTreeMap<Place, Fetch>>,
    /// The client has something that was not taken.
    filled: AtomicBool,
    /// The consumer's, once it runs.
    thread: OnceLock<Thread>,
}

impl Fetching {
    pub(super) fn new(ends: Option<Arc<Ends>>) -> Fetching {
        Fetching { ends, ..Fetching::default() }
    }

    /// The thread that calls is the one to be woken.
    pub(super) fn begin(&self) {
        self.thread.get_or_init(std::thread::current);
    }

    fn wake(&self) {
        self.thread.get().into_iter().for_each(Thread::unpark);
    }

    /// Has the thread stop or go on with partitions.
    pub(super) fn want(&self, changes: Vec<(Place, Fetch)>) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).extend(changes);
        self.wake();
    }

    /// Something has come that can be taken.
    pub(super) fn filled(&self) {
        self.filled.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Waits for the next look; says how long that may wait for a record.
    pub(super) fn wait(&self) -> Duration {
        if self.ends.is_none() {
            return POLL;
        }
        std::thread::park_timeout(POLL);
        if self.filled.swap(false, Ordering::Relaxed) {
            std::thread::sleep(SETTLE);
        }
        Duration::ZERO
    }

    /// Carries out what is wanted. `idle`: the client has nothing that was not taken; what it has
    /// of a partition that is stopped is gone, and has to be fetched again.
    pub(super) fn carry_out<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, idle: bool) {
        // A client that fetches ahead may never be idle.
        if self.ends.is_some() && !idle {
            return;
        }
        let changes = {
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *wanted)
        };
        if !changes.is_empty() {
            carry_out(consumer, changes.iter());
        }
    }

    /// Where only what is there is fetched, the client is about to ask for more of the partitions
    /// whose records were taken, `taken` and now `records`: stops them once it has none left.
    /// Returns those that it stopped.
    pub(super) fn stop<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        records: &[Incoming],
        taken: &mut BTreeSet<Place>,
        idle: bool,
    ) -> Vec<Place> {
        if self.ends.is_none() {
            return Vec::new();
        }
        taken.extend(records.iter().map(|record| (record.topic.clone(), record.partition)));
        if !idle || taken.is_empty() {
            return Vec::new();
        }
        let stopped = std::mem::take(taken);
        carry_out(consumer, stopped.iter().map(|place| (place, &Fetch::Stop)));
        stopped.into_iter().collect()
    }

    /// Asks where partitions end, where that decides and is due after the look at `last`.
    pub(super) fn look<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        last: &mut Option<Instant>,
    ) {
        let due = last.is_none_or(|last| last.elapsed() >= LOOK_EVERY);
        if let Some(ends) = self.ends.as_ref().filter(|_| due) {
            *last = look(consumer, ends).then(Instant::now);
        }
    }
}

fn carry_out<'c, C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    changes: impl Iterator<Item = (&'c Place, &'c Fetch)>,
) {
    let (mut stop, mut go) = (TopicPartitionList::new(), TopicPartitionList::new());
    // A partition that goes on is looked at again within a second only, unless the client is told
    // where to begin. What comes twice by that is known by its offset.
    let mut seek = TopicPartitionList::new();
    for ((topic, partition), fetch) in changes {
        match fetch {
            Fetch::Stop => drop(stop.add_partition(topic, *partition)),
            Fetch::From(position) => {
                go.add_partition(topic, *partition);
                let position = position.map(Offset::Offset);
                // Fails only for offsets that no record can have.
                drop(position.map(|at| seek.add_partition_offset(topic, *partition, at)));
            }
        }
    }
    let stopped = if stop.count() > 0 { consumer.pause(&stop) } else { Ok(()) };
    let gone_on = if go.count() > 0 { consumer.resume(&go) } else { Ok(()) };
    let sought = match seek.count() {
        0 => Ok(()),
        // Without waiting for it.
        _ => consumer.seek_partitions(seek, Duration::ZERO).map(drop),
    };
    if let Err(error) = stopped.and(gone_on).and(sought) {
        tracing::debug!(%error, "a partition could not be stopped or go on");
    }
}

/// Asks where all partitions end; false where there is nothing to ask for.
fn look<C: ConsumerContext>(consumer: &BaseConsumer<C>, ends: &Ends) -> bool {
    let Ok(mut asked) = consumer.assignment() else { return false };
    if asked.count() == 0 || asked.set_all_offsets(Offset::End).is_err() {
        return false;
    }
    match consumer.offsets_for_times(asked, LOOK_MAX) {
        Ok(answered) => answered.elements().iter().for_each(|element| {
            if let (Offset::Offset(end), Ok(())) = (element.offset(), element.error()) {
                ends.reached(element.topic(), element.partition(), end);
            }
        }),
        Err(error) => tracing::debug!(%error, "the ends of the partitions are not known now"),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Fetch, Fetching};

    #[test]
    fn the_last_word_on_a_partition_counts() {
        let fetching = Fetching::new(None);
        let (one, other) = (("t".into(), 0), ("t".into(), 1));
        fetching.want(vec![(one, Fetch::From(None)), (other, Fetch::Stop)]);
        let (one, other) = (("t".into(), 0), ("t".into(), 1));
        fetching.want(vec![(one, Fetch::Stop), (other, Fetch::From(Some(7)))]);
        let wanted = fetching.wanted.lock().unwrap();
        let words: Vec<_> = wanted.values().copied().collect();
        assert_eq!(words, [Fetch::Stop, Fetch::From(Some(7))]);
    }
}
