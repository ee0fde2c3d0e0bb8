//! The outbox table and its lanes, in memory, as the relay's statements see them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, LEASE, Time};
use crate::relay::Lane;

pub(super) const LANES: Lane = 4;

struct Row {
    seq: i64,
    event: Event,
    published: bool,
}

#[derive(Default)]
pub(super) struct Outbox {
    rows: Vec<Row>,
    owners: BTreeMap<Lane, u64>,
    deadlines: BTreeMap<u64, Time>,
}

pub(super) fn lane((aggregate, _): Event) -> Lane {
    Lane::from(aggregate) % LANES
}

impl Outbox {
    pub(super) fn insert(&mut self, event: Event) {
        let seq = i64::try_from(self.rows.len()).unwrap();
        self.rows.push(Row { seq, event, published: false });
    }

    pub(super) fn fetch(&self, lanes: &BTreeSet<Lane>, known: &[i64]) -> Vec<(i64, Event)> {
        let wanted = |row: &&Row| {
            !row.published && lanes.contains(&lane(row.event)) && !known.contains(&row.seq)
        };
        self.rows.iter().filter(wanted).take(8).map(|row| (row.seq, row.event)).collect()
    }

    pub(super) fn mark(&mut self, seqs: &[i64]) {
        for row in self.rows.iter_mut().filter(|row| seqs.contains(&row.seq)) {
            row.published = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| row.published)
    }

    fn is_there(&self, relay: u64, now: Time) -> bool {
        self.deadlines.get(&relay).is_some_and(|deadline| *deadline > now)
    }

    /// As the relay's statement does it; the lanes that are its own, and its share.
    pub(super) fn take(&mut self, relay: u64, now: Time) -> (BTreeSet<Lane>, usize) {
        self.deadlines.insert(relay, now + LEASE);
        let there = self.deadlines.keys().filter(|own| self.is_there(**own, now)).count();
        let share = usize::try_from(LANES).unwrap().div_ceil(there);
        for lane in 0..LANES {
            let own = self.owners.values().filter(|owner| **owner == relay).count();
            let owner = self.owners.get(&lane).copied();
            let is_free = owner.is_none_or(|owner| owner != relay && !self.is_there(owner, now));
            if own < share && is_free {
                self.owners.insert(lane, relay);
            }
        }
        let own = self.owners.iter().filter(|(_, owner)| **owner == relay);
        (own.map(|(lane, _)| *lane).collect(), share)
    }

    pub(super) fn give_back(&mut self, relay: u64, lane: Lane) {
        if self.owners.get(&lane) == Some(&relay) {
            self.owners.remove(&lane);
        }
    }
}
