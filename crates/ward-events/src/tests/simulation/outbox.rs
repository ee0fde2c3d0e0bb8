//! The outbox table and its lanes, in memory, as the relay's statements see them.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::Event;
use crate::limits::LEASE_MAX;
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
    owners: BTreeMap<Lane, usize>,
    /// Until when each relay is taken to be there.
    deadlines: BTreeMap<usize, Instant>,
}

pub(super) fn lane((aggregate, _): Event) -> Lane {
    Lane::from(aggregate) % LANES
}

impl Outbox {
    /// Writes the next event of an aggregate.
    pub(super) fn insert(&mut self, aggregate: u8) {
        let seq = i64::try_from(self.rows.len()).unwrap();
        let version = self.versions().get(&aggregate).copied().unwrap_or(0) + 1;
        self.rows.push(Row { seq, event: (aggregate, version), published: false });
    }

    /// The last version of each aggregate.
    pub(super) fn versions(&self) -> BTreeMap<u8, u8> {
        self.rows.iter().map(|row| row.event).collect()
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

    /// A new relay's name.
    pub(super) fn enter(&mut self) -> usize {
        self.deadlines.insert(self.deadlines.len(), Instant::now());
        self.deadlines.len() - 1
    }

    /// As the relay's statement does it; the lanes that are its own, and its share.
    pub(super) fn take(&mut self, relay: usize) -> (BTreeSet<Lane>, usize) {
        let now = Instant::now();
        self.deadlines.insert(relay, now + LEASE_MAX);
        let is_there = |relay: &usize| self.deadlines[relay] > now;
        let there = self.deadlines.keys().filter(|own| is_there(own)).count();
        let share = usize::try_from(LANES).unwrap().div_ceil(there);
        for lane in 0..LANES {
            let own = self.owners.values().filter(|owner| **owner == relay).count();
            let owner = self.owners.get(&lane);
            let is_free = owner.is_none_or(|owner| *owner != relay && !is_there(owner));
            if own < share && is_free {
                self.owners.insert(lane, relay);
            }
        }
        let own = self.owners.iter().filter(|(_, owner)| **owner == relay);
        (own.map(|(lane, _)| *lane).collect(), share)
    }

    pub(super) fn give_back(&mut self, relay: usize, lane: Lane) {
        if self.owners.get(&lane) == Some(&relay) {
            self.owners.remove(&lane);
        }
    }
}
