//! What the streams of one instance tell each other: the events found last, and when somebody last
//! looked. It spares them a query each, and it may be lost at any time.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::limits::{FOLLOW_AFTER, LOOK_EVERY, LOOK_FRESH, RECENT_MAX};

/// An event as it is sent, and whom it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) patient: String,
    pub(super) text: Bytes,
}

/// The events in `(from, upto]`, as they are sent, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    from: i64,
    upto: i64,
    frames: VecDeque<(i64, Piece)>,
    /// When somebody last began to look at what is newest.
    looked_at: Option<Duration>,
    /// Whether that look is still under way.
    looking: bool,
}

/// What a stream does in its turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Sends these, which may be none.
    Known(Vec<(i64, Piece)>),
    /// Asks again in a moment: somebody is looking.
    Wait,
    /// Looks, and says what it [`found`](Recent::found).
    Look,
}

impl Turn {
    /// For how long whoever had this turn rests at `now`. All streams of an instance keep the same
    /// time: the one that looked comes at the beat, the others a moment later, so that an
    /// event waits for one beat and not for two. If the one that looked is gone, the first of the
    /// others finds nothing fresh, looks, and leads from then on.
    pub(super) fn rest(&self, now: Duration) -> Duration {
        let beat = LOOK_EVERY.as_micros();
        let into = Duration::from_micros(u64::try_from(now.as_micros() % beat).unwrap_or(0));
        let until = LOOK_EVERY.saturating_sub(into);
        match self {
            Self::Look => until,
            Self::Known(_) => until + FOLLOW_AFTER,
            Self::Wait => FOLLOW_AFTER,
        }
    }
}

impl Recent {
    /// What a stream that has seen the event `after` does now. `now` is on any clock that only
    /// advances.
    pub(super) fn turn(&mut self, after: i64, now: Duration) -> Turn {
        let covered = (self.from..=self.upto).contains(&after);
        let fresh = self.looked_at.is_some_and(|at| now.saturating_sub(at) < LOOK_FRESH);
        if covered && (after < self.upto || fresh && !self.looking) {
            let news = self.frames.iter().filter(|(sequence, _)| *sequence > after);
            return Turn::Known(news.cloned().collect());
        }
        if covered && fresh {
            return Turn::Wait;
        }
        // A stream that is far behind looks for itself, and says nothing of what is newest.
        if after >= self.upto {
            (self.looked_at, self.looking) = (Some(now), true);
        }
        Turn::Look
    }

    /// Adds what somebody found after the event `after`.
    pub(super) fn found(&mut self, after: i64, frames: &[(i64, Piece)]) {
        let upto = frames.last().map_or(after, |(sequence, _)| *sequence);
        if upto >= self.upto {
            self.looking = false;
        }
        if upto < self.upto || after < self.from && !self.frames.is_empty() {
            return;
        }
        if after > self.upto || self.frames.is_empty() {
            (self.from, self.upto) = (after, after);
            self.frames.clear();
        }
        let known = self.upto;
        let news = frames.iter().filter(|(sequence, _)| *sequence > known);
        self.frames.extend(news.cloned());
        self.upto = upto;
        while self.frames.len() > RECENT_MAX {
            self.from = self.frames.pop_front().map_or(self.from, |(sequence, _)| sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(sequences: impl IntoIterator<Item = i64>) -> Vec<(i64, Piece)> {
        sequences.into_iter().map(|sequence| (sequence, Piece::default())).collect()
    }

    /// What a turn sends, if it is known.
    fn known(turn: Turn) -> Option<Vec<i64>> {
        let Turn::Known(frames) = turn else { return None };
        Some(frames.into_iter().map(|(sequence, _)| sequence).collect())
    }

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn one_looks_and_the_others_hear_of_it() {
        let mut recent = Recent::default();
        assert_eq!(recent.turn(5, SOON), Turn::Look);
        recent.found(5, &frames([6, 8]));
        assert_eq!(known(recent.turn(5, SOON)), Some(vec![6, 8]));
        assert_eq!(known(recent.turn(6, SOON)), Some(vec![8]));
        assert_eq!(known(recent.turn(8, SOON)), Some(vec![]));
        let later = SOON + LOOK_FRESH;
        assert_eq!(recent.turn(8, later), Turn::Look);
        assert_eq!(recent.turn(8, later), Turn::Wait, "somebody looks");
        assert_eq!(known(recent.turn(6, later)), Some(vec![8]), "what is known needs no waiting");
        recent.found(8, &[]);
        assert_eq!(known(recent.turn(8, later)), Some(vec![]));
        assert_eq!(recent.turn(4, later), Turn::Look, "it does not reach back that far");
        assert_eq!(recent.turn(9, later), Turn::Look, "nor ahead");
    }

    #[test]
    fn whoever_looked_and_does_not_come_back_is_replaced() {
        let mut recent = Recent::default();
        assert_eq!(recent.turn(5, SOON), Turn::Look);
        assert_eq!(recent.turn(5, SOON + FOLLOW_AFTER), Turn::Look, "nothing is known yet");
        recent.found(5, &[]);
        assert_eq!(recent.turn(5, SOON + LOOK_EVERY), Turn::Look);
        assert_eq!(recent.turn(5, SOON + LOOK_EVERY + FOLLOW_AFTER), Turn::Wait);
        assert_eq!(recent.turn(5, SOON + LOOK_EVERY + LOOK_FRESH), Turn::Look);
    }

    #[test]
    fn the_others_come_after_the_one_that_looks() {
        let beat = |millis| LOOK_EVERY * 7 + Duration::from_millis(millis);
        let at = |turn: Turn, now: Duration| now + turn.rest(now);
        for millis in [0, 1, 6, 39] {
            assert_eq!(at(Turn::Look, beat(millis)), beat(40), "{millis}");
            assert_eq!(at(Turn::Known(vec![]), beat(millis)), beat(40) + FOLLOW_AFTER, "{millis}");
            assert_eq!(at(Turn::Wait, beat(millis)), beat(millis) + FOLLOW_AFTER, "{millis}");
        }
    }

    #[test]
    fn it_keeps_no_more_than_it_may() {
        let mut recent = Recent::default();
        let most = i64::try_from(RECENT_MAX).unwrap();
        recent.found(0, &frames(1..=most));
        assert_eq!(known(recent.turn(0, SOON)).map(|all| all.len()), Some(RECENT_MAX));
        recent.found(most, &frames([most + 1]));
        assert_eq!(recent.turn(0, SOON), Turn::Look);
        assert_eq!(known(recent.turn(1, SOON)).map(|all| all.len()), Some(RECENT_MAX));
    }

    proptest! {
        /// Streams at random places, some of which stand still, over a store that grows: each gets
        /// every event once and in order.
        #[test]
        fn nobody_misses_anything(
            steps in prop::collection::vec((0usize..4, 0i64..4, 0u64..50), 1..200),
            page in 1usize..5,
        ) {
            let mut recent = Recent::default();
            let (mut head, mut now) = (3, Duration::ZERO);
            let mut streams = [0, 1, 3, 3];
            for (who, more, pause) in steps {
                head += more;
                now += Duration::from_millis(pause);
                let at = streams[who];
                let news = match recent.turn(at, now) {
                    Turn::Wait => vec![],
                    Turn::Known(found) => known(Turn::Known(found)).unwrap(),
                    Turn::Look => {
                        let found = frames((at + 1..=head).take(page));
                        recent.found(at, &found);
                        found.into_iter().map(|(sequence, _)| sequence).collect()
                    }
                };
                for sequence in news {
                    prop_assert_eq!(sequence, streams[who] + 1);
                    streams[who] = sequence;
                }
            }
        }
    }
}
