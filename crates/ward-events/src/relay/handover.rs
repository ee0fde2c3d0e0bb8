//! Lanes that go to other relays. One is given back once nothing of it is on its way, and never
//! while the table is asked which lanes are this relay's: the answer would name it although it is
//! another's by then, and two relays would send what is in it.

use std::collections::BTreeSet;

use super::queue::Lane;

/// What is to be given back, and what may be done meanwhile.
#[derive(Debug, Default)]
pub(super) struct Handover {
    /// To be given back.
    leaving: BTreeSet<Lane>,
    /// Being given back.
    going: BTreeSet<Lane>,
    /// The table is being asked.
    asking: bool,
}

impl Handover {
    /// Whether the table may be asked now.
    pub(super) fn may_ask(&self) -> bool {
        !self.asking && self.going.is_empty()
    }

    /// The table is being asked from now on.
    pub(super) fn ask(&mut self) {
        self.asking = true;
    }

    /// The table says which lanes are this relay's. What is another's need not be given back.
    pub(super) fn answered(&mut self, own: &BTreeSet<Lane>) {
        self.asking = false;
        self.leaving.retain(|lane| own.contains(lane));
    }

    /// A lane is to be given back.
    pub(super) fn leave(&mut self, lane: Lane) {
        self.leaving.insert(lane);
    }

    /// Whether a lane is to be given back.
    pub(super) fn is_leaving(&self, lane: Lane) -> bool {
        self.leaving.contains(&lane)
    }

    /// Lanes to give back now, of which nothing is on its way.
    pub(super) fn give_back(&mut self, is_busy: impl Fn(Lane) -> bool) -> Vec<Lane> {
        if self.asking {
            return Vec::new();
        }
        let free: Vec<Lane> = self.leaving.iter().copied().filter(|lane| !is_busy(*lane)).collect();
        for lane in &free {
            self.leaving.remove(lane);
            self.going.insert(*lane);
        }
        free
    }

    /// The table says that a lane is nobody's.
    pub(super) fn gave_back(&mut self, lane: Lane) {
        self.going.remove(&lane);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Handover;

    #[test]
    fn no_lane_is_given_back_while_somebody_asks_whose_it_is() {
        let mut handover = Handover::default();
        handover.leave(1);
        handover.leave(2);
        assert_eq!(handover.give_back(|lane| lane == 2), [1]);
        // Nor is it asked while one is given back.
        assert!(!handover.may_ask());
        handover.gave_back(1);
        assert!(handover.may_ask());
        handover.ask();
        assert!(handover.give_back(|_| false).is_empty() && !handover.may_ask());
        handover.answered(&BTreeSet::from([2, 3]));
        assert!(handover.is_leaving(2) && handover.may_ask());
        assert_eq!(handover.give_back(|_| false), [2]);
        assert!(!handover.is_leaving(2));
    }

    #[test]
    fn what_another_has_taken_is_not_given_back() {
        let mut handover = Handover::default();
        handover.leave(1);
        handover.ask();
        handover.answered(&BTreeSet::from([3]));
        assert!(handover.give_back(|_| false).is_empty());
    }
}
