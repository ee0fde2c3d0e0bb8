//! One partition of a topic as the consumer sees it: which records wait, which are with the
//! component, which are on their way to the dead letters, and up to where everything is answered
//! for. It does no I/O and is told the time, so that tests can drive it through any order of
//! events.
//!
//! The promises: a record is gone only when the component has answered for it (done or rejected) or
//! it was set aside; the position that is committed never passes one that is not gone; and while a
//! record waits to be tried again, nothing later of its key is handed out. Other keys go on, and
//! so do records without one.
//!
//! A record that erases what was said of its key is gone only after all before it, and after what
//! of that is among the dead letters has been taken back: no letter of its key comes later.
//!
//! A record that fails by itself must not fail for ever, and an outage must not send good records
//! to the dead letters. So a failed attempt counts against a record only when other records passed
//! since the one before; when nothing passes, it is tried for as long as `patience` says. A batch
//! that traps says nothing about which record was at fault: the next is half as large, until the
//! culprit stands alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{
    PARTITION_BATCHES_MAX, PARTITION_BYTES_MAX, RETRY_ASKED_MAX, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN,
    pause,
};
use crate::log::Fetch;

/// A point in time, counted from some start.
pub(crate) type Moment = Duration;

/// How records are handed out and given up.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) batch_max: usize,
    pub(crate) batch_wait: Duration,
    pub(crate) retries: u32,
    pub(crate) patience: Duration,
}

/// What became of one record, as the component says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Applied, or known already.
    Done,
    /// Not now: again after this long, and nothing of its key before.
    Retry(Duration),
    /// Never, for this reason.
    Reject(String),
}

/// Why a call came to nothing. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The component trapped, took too long, or answered what makes no sense: a record may be why.
    #[error("{0}")]
    Failed(String),
    /// It could not be called at all, which is no record's fault.
    #[error("{0}")]
    Unavailable(String),
}

/// A record to be set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter<R> {
    pub(crate) offset: i64,
    pub(crate) record: R,
    pub(crate) reason: String,
    /// How often the component had it.
    pub(crate) attempts: u32,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    /// This, now.
    Now(T),
    /// Nothing before then, unless something happens.
    At(Moment),
    /// Nothing, unless something happens.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Calling,
    /// On its way to the dead letters.
    Leaving,
    /// It erases, and is answered for; what was before it may not be.
    Answered,
    /// The dead letters of its key are being taken back.
    Clearing,
}

/// What keeps its order: a key, or a record that has none by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Of(Arc<[u8]>),
    Alone(i64),
}

#[derive(Debug)]
struct HeldRecord<R> {
    key: Key,
    record: R,
    bytes: usize,
    state: State,
    /// It takes back what was said of its key.
    erases: bool,
    arrived: Moment,
    first_try: Option<Moment>,
    /// All attempts, and those that count against it.
    attempts: u32,
    counted: u32,
    /// How many records had passed, anywhere, when it last failed.
    passed: u64,
}

/// The records of one partition that are not gone yet, by offset.
#[derive(Debug)]
pub(crate) struct Partition<R> {
    entries: BTreeMap<i64, HeldRecord<R>>,
    bytes: usize,
    /// One past the last record that arrived.
    end: Option<i64>,
    committed: Option<i64>,
    /// Keys with a record that waits to be tried again, and until when.
    held: HashMap<Key, Moment>,
    calling: Vec<i64>,
    batch_limit: usize,
    not_before: Moment,
    failures: u32,
    full: bool,
    /// Whether the log was told to stop or to go on; `None` before it was told anything. It may
    /// remember what it was told when it last had the partition.
    stopped: Option<bool>,
}

impl<R: Clone> Partition<R> {
    pub(crate) fn new(rules: &Rules) -> Partition<R> {
        Partition {
            entries: BTreeMap::new(),
            bytes: 0,
            end: None,
            committed: None,
            held: HashMap::new(),
            calling: Vec::new(),
            batch_limit: rules.batch_max,
            not_before: Moment::ZERO,
            failures: 0,
            full: false,
            stopped: None,
        }
    }

    /// A record arrived; whether for the first time. `passed` is how many records have passed
    /// anywhere so far.
    pub(crate) fn push(
        &mut self,
        offset: i64,
        key: Option<&[u8]>,
        record: R,
        bytes: usize,
        (now, passed): (Moment, u64),
    ) -> bool {
        // Fetched again after a pause or an error: it is here already.
        if self.end.is_some_and(|end| offset < end) {
            return false;
        }
        self.end = Some(offset + 1);
        self.bytes += bytes;
        let entry = HeldRecord {
            key: key.map_or(Key::Alone(offset), |key| Key::Of(key.into())),
            record,
            bytes,
            state: State::Waiting,
            erases: false,
            arrived: now,
            first_try: None,
            attempts: 0,
            counted: 0,
            passed,
        };
        self.entries.insert(offset, entry);
        true
    }

    /// A record that arrived just now erases what was said of its key.
    pub(crate) fn erases(&mut self, offset: i64) {
        self.entries.get_mut(&offset).into_iter().for_each(|entry| entry.erases = true);
    }

    /// A record that arrived just now cannot be read.
    pub(crate) fn unreadable(&mut self, offset: i64, reason: String) -> Option<Letter<R>> {
        let entry = self.entries.get_mut(&offset)?;
        entry.state = State::Leaving;
        Some(Letter { offset, record: entry.record.clone(), reason, attempts: 0 })
    }

    /// The next records to hand out, which count as handed out from now on.
    pub(crate) fn next(&mut self, rules: &Rules, now: Moment) -> Next<Vec<R>> {
        if !self.calling.is_empty() {
            return Next::Nothing;
        }
        if self.not_before > now {
            return match self.entries.is_empty() {
                true => Next::Nothing,
                false => Next::At(self.not_before),
            };
        }
        self.held.retain(|_, until| *until > now);
        let mut chosen = Vec::new();
        let mut oldest = now;
        for (offset, entry) in &self.entries {
            if chosen.len() == self.batch_limit {
                break;
            }
            if entry.state == State::Waiting && !self.held.contains_key(&entry.key) {
                oldest = oldest.min(entry.arrived);
                chosen.push(*offset);
            }
        }
        if chosen.is_empty() {
            return self.held.values().min().map_or(Next::Nothing, |until| Next::At(*until));
        }
        let full_at = oldest + rules.batch_wait;
        if chosen.len() < self.batch_limit && full_at > now {
            return Next::At(full_at);
        }
        let mut records = Vec::with_capacity(chosen.len());
        for offset in &chosen {
            if let Some(entry) = self.entries.get_mut(offset) {
                entry.state = State::Calling;
                entry.first_try.get_or_insert(now);
                records.push(entry.record.clone());
            }
        }
        self.calling = chosen;
        Next::Now(records)
    }

    /// The component answered, one outcome for each record it was given, in order. `passed` grows
    /// by those it answered for.
    pub(crate) fn answered(
        &mut self,
        outcomes: Vec<Outcome>,
        rules: &Rules,
        passed: &mut u64,
        now: Moment,
    ) -> Vec<Letter<R>> {
        if outcomes.len() != self.calling.len() {
            let why = format!(
                "it answered {} outcomes for {} records",
                outcomes.len(),
                self.calling.len()
            );
            return self.failed(&CallError::Failed(why), rules, passed, now);
        }
        let calling = std::mem::take(&mut self.calling);
        let (mut letters, mut again) = (Vec::new(), Vec::new());
        for (offset, outcome) in calling.iter().zip(outcomes) {
            match outcome {
                Outcome::Done => {
                    *passed += 1;
                    self.gone(*offset);
                }
                Outcome::Reject(reason) => {
                    *passed += 1;
                    letters.extend(self.leave(*offset, reason, 1));
                }
                Outcome::Retry(asked) => again.push((*offset, asked)),
            }
        }
        if again.len() == calling.len() {
            self.pause_all(now);
        } else {
            self.failures = 0;
            self.batch_limit = (self.batch_limit * 2).min(rules.batch_max);
        }
        for (offset, asked) in again {
            let why = "the component asked for it to be tried again too often";
            letters.extend(self.again(offset, asked, why, rules, (now, *passed)));
        }
        letters
    }

    /// The call came to nothing.
    pub(crate) fn failed(
        &mut self,
        error: &CallError,
        rules: &Rules,
        passed: &mut u64,
        now: Moment,
    ) -> Vec<Letter<R>> {
        let calling = std::mem::take(&mut self.calling);
        self.pause_all(now);
        if let ([offset], CallError::Failed(_)) = (calling.as_slice(), error) {
            let why = format!("the component failed with it: {error}");
            let at = (now, *passed);
            return self.again(*offset, Duration::ZERO, &why, rules, at).into_iter().collect();
        }
        for offset in &calling {
            if let Some(entry) = self.entries.get_mut(offset) {
                entry.state = State::Waiting;
            }
        }
        if matches!(error, CallError::Failed(_)) {
            self.batch_limit = (calling.len() / 2).max(1);
        }
        Vec::new()
    }

    /// The record is among the dead letters, or is nothing for the component.
    pub(crate) fn set_aside(&mut self, offset: i64) {
        self.gone(offset);
    }

    /// The record whose key's dead letters are to be taken back: it is the first of all.
    pub(crate) fn clearing(&mut self) -> Option<(i64, R)> {
        let mut first = self.entries.first_entry()?;
        if first.get().state != State::Answered {
            return None;
        }
        first.get_mut().state = State::Clearing;
        Some((*first.key(), first.get().record.clone()))
    }

    fn gone(&mut self, offset: i64) {
        let answered = self.entries.get_mut(&offset);
        let erasing = |entry: &&mut HeldRecord<R>| entry.erases && entry.state != State::Clearing;
        if let Some(entry) = answered.filter(erasing) {
            entry.state = State::Answered;
        } else if let Some(entry) = self.entries.remove(&offset) {
            self.bytes -= entry.bytes;
        }
    }

    fn leave(&mut self, offset: i64, reason: String, attempt: u32) -> Option<Letter<R>> {
        let entry = self.entries.get_mut(&offset)?;
        entry.state = State::Leaving;
        let attempts = entry.attempts + attempt;
        Some(Letter { offset, record: entry.record.clone(), reason, attempts })
    }

    /// Nothing of this partition is tried for a while, longer with each failure in a row.
    fn pause_all(&mut self, now: Moment) {
        self.not_before = now + pause(self.failures, RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
    }

    /// A record failed by itself: it waits and its key with it, or it has failed often enough.
    fn again(
        &mut self,
        offset: i64,
        asked: Duration,
        why: &str,
        rules: &Rules,
        (now, passed): (Moment, u64),
    ) -> Option<Letter<R>> {
        let entry = self.entries.get_mut(&offset)?;
        let wait = pause(entry.attempts, RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);
        entry.attempts = entry.attempts.saturating_add(1);
        if passed > entry.passed {
            entry.counted += 1;
        }
        entry.passed = passed;
        let since = now.saturating_sub(entry.first_try.unwrap_or(now));
        if entry.counted > rules.retries || since >= rules.patience {
            return self.leave(offset, why.to_owned(), 0);
        }
        entry.state = State::Waiting;
        // Counted from when the partition goes on, so that others have their turn before it.
        let until = self.not_before.max(now) + wait.max(asked.min(RETRY_ASKED_MAX));
        let held = self.held.entry(entry.key.clone()).or_insert(until);
        *held = until.max(*held);
        None
    }

    /// Whether the component has none of its records, and no dead letter is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.entries.values().all(|entry| matches!(entry.state, State::Waiting | State::Answered))
    }

    /// The position up to which everything is answered for, if it has moved since it was last
    /// asked for.
    pub(crate) fn take_commit(&mut self) -> Option<i64> {
        let position = self.entries.keys().next().copied().or(self.end)?;
        let moved = self.committed.is_none_or(|committed| committed < position);
        self.committed = Some(position);
        moved.then_some(position)
    }

    /// The last commit did not reach the broker.
    pub(crate) fn forget_commit(&mut self) {
        self.committed = None;
    }

    /// Whether fetching is to be stopped or taken up again, when that changes: there is no room for
    /// more, or there is again.
    pub(crate) fn fetching(&mut self, rules: &Rules) -> Option<Fetch> {
        let most = rules.batch_max * PARTITION_BATCHES_MAX;
        let (most, most_bytes) = match self.full {
            false => (most, PARTITION_BYTES_MAX),
            true => (most / 2 + 1, PARTITION_BYTES_MAX / 2 + 1),
        };
        self.full = self.entries.len() >= most || self.bytes >= most_bytes;
        let stop = self.full;
        (self.stopped.replace(stop) != Some(stop)).then_some(match stop {
            true => Fetch::Stop,
            false => Fetch::From(self.end),
        })
    }

    /// How many records wait or are under way.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
