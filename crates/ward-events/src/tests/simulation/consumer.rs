//! A consumer: the real group of partitions, and what is on its way between it, the log and the
//! component with its inbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::log::Log;
use super::{Bug, Event, Inbox, LEASE, Random, Time};
use crate::log::Place;
use crate::trigger::{Call, CallError, Group, Next, Outcome, Rules};

struct Held {
    epoch: u64,
    next: i64,
}

pub(super) struct Consumer {
    name: u64,
    group: Group<Event>,
    held: BTreeMap<i32, Held>,
    calls: Vec<Call<Event>>,
    certain_until: Time,
    pub(super) paused_until: Time,
}

fn place(partition: i32) -> Place {
    (Arc::from("t"), partition)
}

impl Consumer {
    pub(super) fn new(name: u64) -> Consumer {
        let rules = Rules {
            batch_max: 4,
            batch_wait: Duration::ZERO,
            retries: 3,
            patience: Duration::from_secs(3600),
        };
        Consumer {
            name,
            group: Group::new(rules, 2),
            held: BTreeMap::new(),
            calls: Vec::new(),
            certain_until: 0,
            paused_until: 0,
        }
    }

    pub(super) fn step(
        &mut self,
        log: &mut Log,
        inbox: &mut Inbox,
        random: &mut Random,
        now: Time,
        bug: Option<Bug>,
    ) {
        match random.below(5) {
            0 => self.beat(log, now),
            1 if now < self.certain_until => self.read(log, now, bug),
            2 => {
                if let Next::Now(call) = self.group.next(Duration::from_millis(now)) {
                    self.calls.push(call);
                }
            }
            3 => self.answer(inbox, random, now, bug),
            _ => {
                for (place, position) in self.group.take_commit() {
                    if let Some(held) = self.held.get(&place.1) {
                        log.commit(self.name, place.1, held.epoch, position);
                    }
                }
            }
        }
    }

    fn beat(&mut self, log: &mut Log, now: Time) {
        let (own, share) = log.take(self.name, now);
        self.certain_until = now + LEASE;
        let lost: Vec<Place> = self
            .held
            .iter()
            .filter(|(partition, held)| own.get(partition).map(|own| own.0) != Some(held.epoch))
            .map(|(partition, _)| place(*partition))
            .collect();
        self.group.remove(&lost);
        for (_, partition) in &lost {
            self.held.remove(partition);
        }
        for (partition, (epoch, position)) in own {
            if !self.held.contains_key(&partition) {
                self.group.assign([place(partition)]);
                self.held.insert(partition, Held { epoch, next: position });
            }
        }
        let surplus = self.held.len().saturating_sub(share);
        let surplus: Vec<Place> =
            self.held.keys().rev().take(surplus).map(|own| place(*own)).collect();
        self.group.close(&surplus);
        for place in &surplus {
            if !self.group.are_quiet([place]) {
                continue;
            }
            for (_, position) in self.group.positions([place]) {
                if let Some(held) = self.held.get(&place.1) {
                    log.commit(self.name, place.1, held.epoch, position);
                }
            }
            self.group.remove([place]);
            self.held.remove(&place.1);
            log.give_back(self.name, place.1);
        }
    }

    fn read(&mut self, log: &mut Log, now: Time, bug: Option<Bug>) {
        for (partition, held) in &mut self.held {
            for (offset, event) in log.read(*partition, held.next) {
                let key = [event.0];
                let at = (offset, key.as_slice(), 10);
                let now = Duration::from_millis(now);
                self.group.push(&place(*partition), at, event, None, now);
                held.next = offset + 1;
                if bug == Some(Bug::CommittedTooEarly) {
                    log.commit(self.name, *partition, held.epoch, held.next);
                }
            }
        }
    }

    /// The component has done what it was called for: all of it, in one transaction, or nothing;
    /// and its answer may be lost.
    fn answer(&mut self, inbox: &mut Inbox, random: &mut Random, now: Time, bug: Option<Bug>) {
        let most = u64::try_from(self.calls.len()).unwrap();
        if most == 0 {
            return;
        }
        let Call { place, epoch, records } =
            self.calls.swap_remove(usize::try_from(random.below(most)).unwrap());
        let (applies, answers) = (random.chance(85), random.chance(90));
        if applies {
            records.iter().for_each(|event| inbox.apply(*event, bug));
        }
        let result = match applies && answers {
            true => Ok(records.iter().map(|_| Outcome::Done).collect()),
            false => Err(CallError::Unavailable("away".to_owned())),
        };
        self.group.ended(&place, epoch, result, Duration::from_millis(now));
    }
}
