//! A relay: the real queue, and what is on its way between it, the outbox and the log.

use std::collections::{BTreeSet, VecDeque};

use uuid::Uuid;

use super::log::Log;
use super::outbox::{Outbox, lane};
use super::{Bug, Event, LEASE, Random, Time};
use crate::relay::{Lane, Queue, Row};

pub(super) struct Relay {
    name: u64,
    queue: Queue<Event>,
    /// Handed over, and not in the log yet; then there, and the answer not here yet.
    appends: Vec<(i64, Event)>,
    answers: VecDeque<i64>,
    certain_until: Time,
    leaving: BTreeSet<Lane>,
    pub(super) paused_until: Time,
}

impl Relay {
    pub(super) fn new(name: u64) -> Relay {
        Relay {
            name,
            queue: Queue::default(),
            appends: Vec::new(),
            answers: VecDeque::new(),
            certain_until: 0,
            leaving: BTreeSet::new(),
            paused_until: 0,
        }
    }

    /// It dies; some of what it handed over arrives all the same, later and with nobody to tell.
    pub(super) fn crash(&mut self, name: u64, random: &mut Random) {
        let mut appends = std::mem::take(&mut self.appends);
        appends.retain(|_| random.chance(50));
        *self = Relay { appends, ..Relay::new(name) };
    }

    /// Something that was handed over reaches the log, whatever its sender does meanwhile.
    pub(super) fn arrives(&mut self, log: &mut Log, random: &mut Random) {
        let most = u64::try_from(self.appends.len()).unwrap();
        if most > 0 && random.chance(60) {
            let at = usize::try_from(random.below(most)).unwrap();
            let (seq, event) = self.appends.swap_remove(at);
            log.append(event);
            self.answers.push_back(seq);
        }
    }

    pub(super) fn step(
        &mut self,
        outbox: &mut Outbox,
        random: &mut Random,
        now: Time,
        bug: Option<Bug>,
    ) {
        match random.below(5) {
            0 => self.beat(outbox, now),
            1 => self.fetch(outbox),
            2 => self.send(outbox, now, bug),
            3 => {
                if let Some(seq) = self.answers.pop_front() {
                    match random.chance(10) {
                        // The answer was lost: it is there, and nobody knows.
                        true => self.queue.failed(seq),
                        false => self.queue.acknowledged(seq),
                    }
                }
            }
            _ => {
                let rows: Vec<i64> =
                    self.queue.to_mark(3).into_iter().map(|(seq, _)| seq).collect();
                outbox.mark(&rows);
                self.queue.marked(&rows);
            }
        }
    }

    fn beat(&mut self, outbox: &mut Outbox, now: Time) {
        let (own, share) = outbox.take(self.name, now);
        self.certain_until = now + LEASE;
        let held = self.queue.lanes().clone();
        held.difference(&own).for_each(|lane| self.queue.let_go(*lane));
        self.leaving.retain(|lane| own.contains(lane));
        let came = own.difference(&held).filter(|lane| !self.leaving.contains(lane));
        came.for_each(|lane| self.queue.hold(*lane));
        let surplus = self.queue.lanes().len().saturating_sub(share);
        let surplus: Vec<Lane> = self.queue.lanes().iter().rev().take(surplus).copied().collect();
        for lane in surplus {
            self.queue.let_go(lane);
            self.leaving.insert(lane);
        }
        let free: Vec<Lane> =
            self.leaving.iter().copied().filter(|lane| !self.queue.has(*lane)).collect();
        for lane in free {
            self.leaving.remove(&lane);
            outbox.give_back(self.name, lane);
        }
    }

    fn fetch(&mut self, outbox: &Outbox) {
        let rows = outbox.fetch(self.queue.lanes(), &self.queue.known());
        let row = |(seq, event): (i64, Event)| Row {
            seq,
            id: Uuid::from_u128(u128::from(seq.unsigned_abs())),
            aggregate: Uuid::from_u128(event.0.into()),
            lane: lane(event),
            payload: Ok(event),
        };
        self.queue.insert(rows.into_iter().map(row));
    }

    fn send(&mut self, outbox: &mut Outbox, now: Time, bug: Option<Bug>) {
        if now >= self.certain_until {
            return;
        }
        while let Some((seq, event)) = self.queue.send() {
            self.appends.push((seq, *event));
            match bug {
                Some(Bug::MarkedTooEarly) => outbox.mark(&[seq]),
                // As if it had been acknowledged: the next of its aggregate may go.
                Some(Bug::OrderForgotten) => self.queue.acknowledged(seq),
                _ => {}
            }
        }
    }
}
