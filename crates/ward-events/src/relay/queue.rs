//! What the relay knows of rows it has fetched: which wait, which are on their way to the broker,
//! which the broker has, and which can never be sent. It does no I/O and knows no clock, so that
//! tests can drive it through any order of events.
//!
//! The promise is order within an aggregate, and it rests on one rule: **a row is sent only when
//! the broker has every earlier row of its aggregate**. So at most one row of an aggregate is on
//! its way at a time, and no failure of a request, of the client's own repetitions or of the
//! broker can let a later row overtake an earlier one. Rows of different aggregates have no order
//! and fill the pipeline.
//!
//! Leases keep replicas from sending the same rows, but nothing relies on them: each replica begins
//! with the earliest row that is not marked and follows the rule, so whatever two of them do at
//! once, the first copy of each row comes after the first copies of all before it. What comes twice
//! has the same event id.

use std::collections::{BTreeSet, HashMap, VecDeque};

use uuid::Uuid;

use crate::limits::{RELAY_ROWS_MAX, RELAY_ROWS_PER_KEY_MAX};

/// A part of all aggregates, by a hash of their id.
pub(crate) type Lane = i32;

/// A row that was fetched. `P` is what is sent for it, or why nothing can be.
#[derive(Debug, Clone)]
pub(crate) struct Row<P> {
    pub(crate) seq: i64,
    pub(crate) id: Uuid,
    pub(crate) aggregate: Uuid,
    pub(crate) lane: Lane,
    pub(crate) payload: Result<P, String>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Sent,
    /// The broker has it; the table does not say so yet.
    Acknowledged,
    /// It can never be sent; the table does not say so yet.
    Refused,
}

#[derive(Debug)]
struct QueuedRow<P> {
    row: Row<P>,
    state: State,
    /// Failed in a request with others, for a reason that may have been theirs: goes alone.
    suspect: bool,
}

/// The rows in memory, by aggregate and in order.
#[derive(Debug)]
pub(crate) struct Queue<P> {
    lines: HashMap<Uuid, VecDeque<QueuedRow<P>>>,
    /// Where each known row is.
    known: HashMap<i64, Uuid>,
    /// Aggregates that may have something to send, in the order they became so.
    ready: VecDeque<Uuid>,
    lanes: BTreeSet<Lane>,
    sent: usize,
    /// Whether what is on its way was sent alone.
    alone: bool,
}

impl<P> Default for Queue<P> {
    fn default() -> Self {
        Queue {
            lines: HashMap::new(),
            known: HashMap::new(),
            ready: VecDeque::new(),
            lanes: BTreeSet::new(),
            sent: 0,
            alone: false,
        }
    }
}

impl<P> Queue<P> {
    /// Rows of this lane may be sent from now on.
    pub(crate) fn hold(&mut self, lane: Lane) {
        self.lanes.insert(lane);
    }

    /// Rows of this lane that are not on their way yet are somebody else's from now on.
    pub(crate) fn let_go(&mut self, lane: Lane) {
        self.lanes.remove(&lane);
        self.forget_waiting(|row| row.lane == lane);
    }

    /// The lanes whose rows may be sent.
    pub(crate) fn lanes(&self) -> &BTreeSet<Lane> {
        &self.lanes
    }

    /// The connection that held the lanes is gone. What is on its way stays known, so that it can
    /// be marked once there is another.
    pub(crate) fn let_go_of_all(&mut self) {
        self.lanes.clear();
        self.forget_waiting(|_| true);
    }

    fn forget_waiting(&mut self, which: impl Fn(&Row<P>) -> bool) {
        let known = &mut self.known;
        self.lines.retain(|_, line| {
            line.retain(|entry| {
                let keep = entry.state != State::Waiting || !which(&entry.row);
                if !keep {
                    known.remove(&entry.row.seq);
                }
                keep
            });
            !line.is_empty()
        });
    }

    /// How many more rows there is room for.
    pub(crate) fn room(&self) -> usize {
        RELAY_ROWS_MAX.saturating_sub(self.known.len())
    }

    /// The rows that need not be fetched again.
    pub(crate) fn known(&self) -> Vec<i64> {
        self.known.keys().copied().collect()
    }

    /// The aggregates that have as many rows here as they may.
    pub(crate) fn full(&self) -> Vec<Uuid> {
        let full = self.lines.iter().filter(|(_, line)| line.len() >= RELAY_ROWS_PER_KEY_MAX);
        full.map(|(aggregate, _)| *aggregate).collect()
    }

    /// Takes in rows as they were fetched, in their order. Known ones, those of lanes that were let
    /// go meanwhile, and those beyond an aggregate's limit are passed over: they come again.
    pub(crate) fn insert(&mut self, rows: impl IntoIterator<Item = Row<P>>) {
        let mut passed = BTreeSet::new();
        for row in rows {
            if !self.lanes.contains(&row.lane) || self.known.contains_key(&row.seq) {
                continue;
            }
            let line = self.lines.entry(row.aggregate).or_default();
            // Once one row of an aggregate is passed over, all after it are.
            if line.len() >= RELAY_ROWS_PER_KEY_MAX || passed.contains(&row.aggregate) {
                passed.insert(row.aggregate);
                continue;
            }
            self.known.insert(row.seq, row.aggregate);
            self.ready.push_back(row.aggregate);
            line.push_back(QueuedRow { row, state: State::Waiting, suspect: false });
        }
    }

    /// The next row to send, which counts as sent from now on.
    pub(crate) fn send(&mut self) -> Option<(i64, &P)> {
        if self.alone && self.sent > 0 {
            return None;
        }
        for _ in 0..self.ready.len() {
            let aggregate = self.ready.pop_front()?;
            let Some(line) = self.lines.get_mut(&aggregate) else { continue };
            let Some(at) = line.iter().position(|entry| entry.state != State::Acknowledged) else {
                continue;
            };
            let Some(entry) = line.get_mut(at).filter(|entry| entry.state == State::Waiting) else {
                continue;
            };
            if entry.row.payload.is_err() {
                entry.state = State::Refused;
                continue;
            }
            if entry.suspect && self.sent > 0 {
                // It waits until nothing is on its way, and the others wait with it.
                self.ready.push_front(aggregate);
                return None;
            }
            entry.state = State::Sent;
            self.sent += 1;
            self.alone = entry.suspect;
            let seq = entry.row.seq;
            // Looked up once more, because the loop must not borrow what it may hand out.
            let entry = self.lines.get(&aggregate)?.get(at)?;
            return entry.row.payload.as_ref().ok().map(|payload| (seq, payload));
        }
        None
    }

    fn answered(&mut self, seq: i64, change: impl FnOnce(&mut QueuedRow<P>)) {
        let Some(aggregate) = self.known.get(&seq) else { return };
        let Some(line) = self.lines.get_mut(aggregate) else { return };
        let entry = line.iter_mut().find(|entry| entry.row.seq == seq);
        let Some(entry) = entry.filter(|entry| entry.state == State::Sent) else { return };
        self.sent -= 1;
        change(entry);
        self.ready.push_back(*aggregate);
    }

    /// The broker has the row.
    pub(crate) fn acknowledged(&mut self, seq: i64) {
        self.answered(seq, |entry| entry.state = State::Acknowledged);
    }

    /// The row was not sent, or nobody knows; it is to be sent again.
    pub(crate) fn failed(&mut self, seq: i64) {
        self.answered(seq, |entry| entry.state = State::Waiting);
        self.drop_if_not_ours(seq);
    }

    /// The broker refused the row for good, or so it seems: a request with several rows is refused
    /// as a whole, so a row is believed to be at fault only after it went alone.
    pub(crate) fn refused(&mut self, seq: i64, reason: String) {
        self.answered(seq, |entry| {
            entry.state = State::Waiting;
            if entry.suspect {
                entry.row.payload = Err(reason);
                entry.state = State::Refused;
            }
            entry.suspect = true;
        });
        self.drop_if_not_ours(seq);
    }

    /// The row cannot be sent, as can be seen without asking the broker.
    pub(crate) fn unsendable(&mut self, seq: i64, reason: String) {
        self.answered(seq, |entry| {
            entry.row.payload = Err(reason);
            entry.state = State::Refused;
        });
    }

    fn drop_if_not_ours(&mut self, seq: i64) {
        let Some(aggregate) = self.known.get(&seq) else { return };
        let lane = self.lines.get(aggregate).and_then(|line| line.front()).map(|e| e.row.lane);
        if let Some(lane) = lane.filter(|lane| !self.lanes.contains(lane)) {
            self.forget_waiting(|row| row.lane == lane);
        }
    }

    /// Rows to be marked as published, at most `limit`.
    pub(crate) fn to_mark(&self, limit: usize) -> Vec<(i64, Uuid)> {
        let entries = self.lines.values().flatten();
        let acknowledged = entries.filter(|entry| entry.state == State::Acknowledged);
        acknowledged.take(limit).map(|entry| (entry.row.seq, entry.row.id)).collect()
    }

    /// The table says of these rows that they are published.
    pub(crate) fn marked(&mut self, rows: &[i64]) {
        for seq in rows {
            let Some(aggregate) = self.known.remove(seq) else { continue };
            let Some(line) = self.lines.get_mut(&aggregate) else { continue };
            line.retain(|entry| entry.row.seq != *seq);
            if line.is_empty() {
                self.lines.remove(&aggregate);
            }
        }
    }

    /// Rows to be set aside, each with its reason.
    pub(crate) fn to_set_aside(&self) -> Vec<(i64, Uuid, String)> {
        let entries = self.lines.values().flatten();
        let refused = entries.filter(|entry| entry.state == State::Refused);
        let reason = |row: &Row<P>| row.payload.as_ref().err().cloned().unwrap_or_default();
        refused.map(|entry| (entry.row.seq, entry.row.id, reason(&entry.row))).collect()
    }

    /// The table says of this row that it is set aside. What waits behind it is forgotten: it is
    /// not fetched again while the row stands in its way.
    pub(crate) fn set_aside(&mut self, seq: i64) {
        let Some(aggregate) = self.known.get(&seq).copied() else { return };
        self.forget_waiting(|row| row.aggregate == aggregate);
        self.marked(&[seq]);
    }

    /// Whether nothing is on its way and everything that was is marked.
    pub(crate) fn is_settled(&self) -> bool {
        self.lines.values().flatten().all(|entry| entry.state == State::Waiting)
    }

    /// Whether rows of this lane are known.
    pub(crate) fn has(&self, lane: Lane) -> bool {
        self.lines.values().flatten().any(|entry| entry.row.lane == lane)
    }

    /// How many rows are on their way.
    #[cfg(test)]
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }
}
