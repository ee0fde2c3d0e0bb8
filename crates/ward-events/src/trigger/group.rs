//! All partitions that a consumer has at the moment. It shares a limited number of calls among them
//! in turn, and keeps answers for partitions that were taken away from touching what came after.

use std::collections::BTreeMap;

use super::partition::{CallError, Letter, Moment, Next, Outcome, Partition, Rules};
use crate::log::{Fetch, TopicPartition};

/// Which assignment of a partition something belongs to.
pub(crate) type Epoch = u64;

struct Slot<R> {
    partition: Partition<R>,
    epoch: Epoch,
    /// It is being taken away: nothing new is handed out.
    closing: bool,
}

/// A call to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call<R> {
    pub(crate) place: TopicPartition,
    pub(crate) epoch: Epoch,
    pub(crate) records: Vec<R>,
}

/// A record to be set aside, and where it came from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Addressed<R> {
    pub(crate) place: TopicPartition,
    pub(crate) epoch: Epoch,
    pub(crate) letter: Letter<R>,
}

/// What is to be done with a record that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The component gets it.
    Wanted,
    /// It is nothing for the component.
    PassedOver,
    /// It cannot be handed out, for this reason.
    Unreadable(String),
}

/// What became of a record that arrived for the first time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed<R> {
    Waiting,
    PassedOver,
    Leaving(Addressed<R>),
}

/// The partitions of one consumer.
pub(crate) struct Group<R> {
    rules: Rules,
    calls_max: usize,
    calls: usize,
    slots: BTreeMap<TopicPartition, Slot<R>>,
    /// The partition that had the last call: the next in order comes next.
    last: Option<TopicPartition>,
    epochs: Epoch,
    passed: u64,
}

impl<R: Clone> Group<R> {
    pub(crate) fn new(rules: Rules, calls_max: usize) -> Group<R> {
        Group {
            rules,
            calls_max,
            calls: 0,
            slots: BTreeMap::new(),
            last: None,
            epochs: 0,
            passed: 0,
        }
    }

    /// Partitions came to this consumer.
    pub(crate) fn assign(&mut self, places: impl IntoIterator<Item = TopicPartition>) {
        for place in places {
            self.epochs += 1;
            let partition = Partition::new(&self.rules);
            let slot = Slot { partition, epoch: self.epochs, closing: false };
            self.slots.insert(place, slot);
        }
    }

    /// Nothing more of these partitions is handed out.
    pub(crate) fn close<'p>(&mut self, places: impl IntoIterator<Item = &'p TopicPartition>) {
        for place in places {
            if let Some(slot) = self.slots.get_mut(place) {
                slot.closing = true;
            }
        }
    }

    /// Nothing more of any partition is handed out.
    pub(crate) fn close_all(&mut self) {
        self.slots.values_mut().for_each(|slot| slot.closing = true);
    }

    /// Whether the component has none of these partitions' records.
    pub(crate) fn are_quiet<'p>(
        &self,
        places: impl IntoIterator<Item = &'p TopicPartition>,
    ) -> bool {
        let mut slots = places.into_iter().filter_map(|place| self.slots.get(place));
        slots.all(|slot| slot.partition.is_quiet())
    }

    /// The partitions there are.
    pub(crate) fn places(&self) -> Vec<TopicPartition> {
        self.slots.keys().cloned().collect()
    }

    /// Partitions are gone. What is known of them is forgotten, after their positions were asked
    /// for. Answers of theirs that are still to come free their call and do nothing else.
    pub(crate) fn remove<'p>(&mut self, places: impl IntoIterator<Item = &'p TopicPartition>) {
        for place in places {
            self.slots.remove(place);
        }
    }

    /// A record arrived. Records of partitions that are not ours are
    /// somebody else's, and what comes twice is here already: `None`.
    pub(crate) fn push(
        &mut self,
        place: &TopicPartition,
        (offset, key, bytes): (i64, Option<&[u8]>, usize),
        record: R,
        arrival: Arrival,
        now: Moment,
    ) -> Option<Pushed<R>> {
        let slot = self.slots.get_mut(place).filter(|slot| !slot.closing)?;
        if !slot.partition.push(offset, key, record, bytes, (now, self.passed)) {
            return None;
        }
        Some(match arrival {
            Arrival::Wanted => Pushed::Waiting,
            Arrival::PassedOver => {
                slot.partition.set_aside(offset);
                Pushed::PassedOver
            }
            Arrival::Unreadable(reason) => {
                let letter = slot.partition.unreadable(offset, reason)?;
                Pushed::Leaving(Addressed { place: place.clone(), epoch: slot.epoch, letter })
            }
        })
    }

    /// A record that arrived just now erases what was said of its key.
    pub(crate) fn erases(&mut self, place: &TopicPartition, offset: i64) {
        if let Some(slot) = self.slots.get_mut(place) {
            slot.partition.erases(offset);
        }
    }

    /// The records whose keys' dead letters are to be taken back.
    pub(crate) fn clearing(&mut self) -> Vec<(TopicPartition, Epoch, i64, R)> {
        let open = self.slots.iter_mut().filter(|(_, slot)| !slot.closing);
        let clearing = open.filter_map(|(place, slot)| {
            let (offset, record) = slot.partition.clearing()?;
            Some((place.clone(), slot.epoch, offset, record))
        });
        clearing.collect()
    }

    /// The next call to make.
    pub(crate) fn next(&mut self, now: Moment) -> Next<Call<R>> {
        if self.calls >= self.calls_max {
            return Next::Nothing;
        }
        let mut soonest = None;
        for place in self.in_turn() {
            let Some(slot) = self.slots.get_mut(&place).filter(|slot| !slot.closing) else {
                continue;
            };
            match slot.partition.next(&self.rules, now) {
                Next::Now(records) => {
                    self.calls += 1;
                    self.last = Some(place.clone());
                    return Next::Now(Call { place, epoch: slot.epoch, records });
                }
                Next::At(at) => soonest = Some(soonest.map_or(at, |other: Moment| other.min(at))),
                Next::Nothing => {}
            }
        }
        soonest.map_or(Next::Nothing, Next::At)
    }

    /// All partitions, beginning after the one that had the last call.
    fn in_turn(&self) -> Vec<TopicPartition> {
        let after = |place: &&TopicPartition| self.last.as_ref().is_some_and(|last| *place > last);
        let before = |place: &&TopicPartition| !after(place);
        let (later, earlier) = (self.slots.keys().filter(after), self.slots.keys().filter(before));
        later.chain(earlier).cloned().collect()
    }

    /// A call has ended.
    pub(crate) fn ended(
        &mut self,
        place: &TopicPartition,
        epoch: Epoch,
        result: Result<Vec<Outcome>, CallError>,
        now: Moment,
    ) -> Vec<Addressed<R>> {
        self.calls = self.calls.saturating_sub(1);
        let Some(slot) = self.slots.get_mut(place).filter(|slot| slot.epoch == epoch) else {
            return Vec::new();
        };
        let (partition, rules) = (&mut slot.partition, &self.rules);
        let letters = match result {
            Ok(outcomes) => partition.answered(outcomes, rules, &mut self.passed, now),
            Err(error) => partition.failed(&error, rules, &mut self.passed, now),
        };
        let address = |letter| Addressed { place: place.clone(), epoch, letter };
        letters.into_iter().map(address).collect()
    }

    /// A record is among the dead letters.
    pub(crate) fn set_aside(&mut self, place: &TopicPartition, epoch: Epoch, offset: i64) {
        if let Some(slot) = self.slots.get_mut(place).filter(|slot| slot.epoch == epoch) {
            slot.partition.set_aside(offset);
        }
    }

    /// Positions that have moved since they were last asked for.
    pub(crate) fn take_commit(&mut self) -> Vec<(TopicPartition, i64)> {
        let moved = self
            .slots
            .iter_mut()
            .filter_map(|(place, slot)| Some((place.clone(), slot.partition.take_commit()?)));
        moved.collect()
    }

    /// The positions of these partitions, whether they have moved or not.
    pub(crate) fn positions<'p>(
        &mut self,
        places: impl IntoIterator<Item = &'p TopicPartition>,
    ) -> Vec<(TopicPartition, i64)> {
        let mut positions = Vec::new();
        for place in places {
            let Some(slot) = self.slots.get_mut(place) else { continue };
            slot.partition.forget_commit();
            positions.extend(slot.partition.take_commit().map(|offset| (place.clone(), offset)));
        }
        positions
    }

    /// The last commit did not reach the broker: every position is to be committed again.
    pub(crate) fn forget_commits(&mut self) {
        self.slots.values_mut().for_each(|slot| slot.partition.forget_commit());
    }

    /// Partitions whose fetching is to be stopped or taken up again.
    pub(crate) fn fetching(&mut self) -> Vec<(TopicPartition, Fetch)> {
        let rules = &self.rules;
        let changed = self
            .slots
            .iter_mut()
            .filter_map(|(place, slot)| Some((place.clone(), slot.partition.fetching(rules)?)));
        changed.collect()
    }

    /// How many records wait or are under way.
    pub(crate) fn len(&self) -> usize {
        self.slots.values().map(|slot| slot.partition.len()).sum()
    }
}
