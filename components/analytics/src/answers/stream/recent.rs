//! What the streams of one instance tell each other: the events found last, and when somebody last
//! looked. It spares them a query each, and it may be lost at any time.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::limits::{LOOK_FRESH, RECENT_MAX};

/// The events in `(from, upto]`, as they are sent, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    from: i64,
    upto: i64,
    frames: VecDeque<(i64, Bytes)>,
    looked_at: Option<Duration>,
}

impl Recent {
    /// What follows the event `after`, if that is known here well enough; otherwise the caller has
    /// to look, and is taken to be looking from `now` on. `now` is on any clock that only advances.
    pub(super) fn after(&mut self, after: i64, now: Duration) -> Option<Vec<(i64, Bytes)>> {
        let covered = (self.from..=self.upto).contains(&after);
        let fresh = self.looked_at.is_some_and(|at| now.saturating_sub(at) < LOOK_FRESH);
        if covered && (fresh || after < self.upto) {
            let news = self.frames.iter().filter(|(sequence, _)| *sequence > after);
            return Some(news.cloned().collect());
        }
        // A stream that is far behind looks for itself, and says nothing of what is newest.
        if after >= self.upto {
            self.looked_at = Some(now);
        }
        None
    }

    /// Adds what somebody found after the event `after`.
    pub(super) fn found(&mut self, after: i64, frames: &[(i64, Bytes)]) {
        let upto = frames.last().map_or(after, |(sequence, _)| *sequence);
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

    fn frames(sequences: impl IntoIterator<Item = i64>) -> Vec<(i64, Bytes)> {
        sequences.into_iter().map(|sequence| (sequence, Bytes::new())).collect()
    }

    fn numbers(found: Option<Vec<(i64, Bytes)>>) -> Option<Vec<i64>> {
        found.map(|frames| frames.into_iter().map(|(sequence, _)| sequence).collect())
    }

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn one_looks_and_the_others_hear_of_it() {
        let mut recent = Recent::default();
        assert_eq!(numbers(recent.after(5, SOON)), None);
        recent.found(5, &frames([6, 8]));
        assert_eq!(numbers(recent.after(5, SOON)), Some(vec![6, 8]));
        assert_eq!(numbers(recent.after(6, SOON)), Some(vec![8]));
        assert_eq!(numbers(recent.after(8, SOON)), Some(vec![]));
        assert_eq!(numbers(recent.after(8, SOON + LOOK_FRESH)), None);
        assert_eq!(numbers(recent.after(8, SOON + LOOK_FRESH)), Some(vec![]), "somebody looks");
        assert_eq!(numbers(recent.after(4, SOON)), None, "it does not reach back that far");
        assert_eq!(numbers(recent.after(9, SOON)), None, "nor ahead");
    }

    #[test]
    fn it_keeps_no_more_than_it_may() {
        let mut recent = Recent::default();
        let most = i64::try_from(RECENT_MAX).unwrap();
        recent.found(0, &frames(1..=most));
        assert_eq!(numbers(recent.after(0, SOON)).map(|all| all.len()), Some(RECENT_MAX));
        recent.found(most, &frames([most + 1]));
        assert_eq!(numbers(recent.after(0, SOON)), None);
        assert_eq!(numbers(recent.after(1, SOON)).map(|all| all.len()), Some(RECENT_MAX));
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
                let news = match numbers(recent.after(at, now)) {
                    Some(news) => news,
                    None => {
                        let found = frames((at + 1..=head).take(page));
                        recent.found(at, &found);
                        numbers(Some(found)).unwrap()
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
