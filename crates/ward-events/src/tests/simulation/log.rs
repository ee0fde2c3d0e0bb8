//! A log in memory with one group: partitions, leases with epochs, positions.

use std::collections::BTreeMap;

use super::{Event, LEASE, Time};

pub(super) const PARTITIONS: i32 = 3;

#[derive(Default, Clone, Copy)]
struct Lease {
    member: Option<u64>,
    epoch: u64,
    position: i64,
}

#[derive(Default)]
pub(super) struct Log {
    records: BTreeMap<i32, Vec<Event>>,
    leases: BTreeMap<i32, Lease>,
    deadlines: BTreeMap<u64, Time>,
}

impl Log {
    pub(super) fn append(&mut self, event: Event) {
        self.records.entry(i32::from(event.0) % PARTITIONS).or_default().push(event);
    }

    pub(super) fn read(&self, partition: i32, from: i64) -> Vec<(i64, Event)> {
        let records = self.records.get(&partition).into_iter().flatten();
        let records = (0..).zip(records.copied());
        records.filter(|(offset, _)| *offset >= from).take(5).collect()
    }

    fn is_there(&self, member: u64, now: Time) -> bool {
        self.deadlines.get(&member).is_some_and(|deadline| *deadline > now)
    }

    /// What is a member's, each with its epoch and position, and how much should be.
    pub(super) fn take(&mut self, member: u64, now: Time) -> (BTreeMap<i32, (u64, i64)>, usize) {
        self.deadlines.insert(member, now + LEASE);
        let there = self.deadlines.keys().filter(|own| self.is_there(**own, now)).count();
        let share = usize::try_from(PARTITIONS).unwrap().div_ceil(there);
        for partition in 0..PARTITIONS {
            let own = self.leases.values().filter(|lease| lease.member == Some(member)).count();
            let mut lease = self.leases.get(&partition).copied().unwrap_or_default();
            let is_free = lease.member.is_none_or(|own| own != member && !self.is_there(own, now));
            if own < share && is_free {
                lease.member = Some(member);
                lease.epoch += 1;
                self.leases.insert(partition, lease);
            }
        }
        let own = self.leases.iter().filter(|(_, lease)| lease.member == Some(member));
        (own.map(|(partition, lease)| (*partition, (lease.epoch, lease.position))).collect(), share)
    }

    pub(super) fn commit(&mut self, member: u64, partition: i32, epoch: u64, position: i64) {
        let Some(lease) = self.leases.get_mut(&partition) else { return };
        if lease.member == Some(member) && lease.epoch == epoch {
            lease.position = position;
        }
    }

    pub(super) fn give_back(&mut self, member: u64, partition: i32) {
        if let Some(lease) = self.leases.get_mut(&partition).filter(|l| l.member == Some(member)) {
            lease.member = None;
        }
    }
}
