//! What is told to the audit log of those who were not let in: why, and how many they were. The
//! same for HTTP and for gRPC, like all that is decided about tokens.
//!
//! Each of a few is told by itself, at once. Of more than that within a minute, all that come
//! within a second are told together, so that whoever asks often has nobody write often: a
//! [`Tally`] says who tells, and there is never one that was counted and will not be told.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use uuid::Uuid;

use crate::Refusal;

/// How many of a kind are told each by itself in a minute.
const ALONE: u64 = 10;

/// How many kinds a tally knows apart; those after them are one.
const KINDS_MAX: usize = 1000;

/// For how long those are counted that are told together.
pub const TOGETHER: Duration = Duration::from_secs(1);

/// How often it is tried to tell of them, one [`TOGETHER`] after another: a database that was
/// restarted is back by then. What could not be told waits for the next of its kind.
pub const TRIES: u32 = 5;

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The token was none, or none that is believed.
    Token(Refusal),
    /// The token's session has ended.
    EndedSession,
    /// The token does not allow this.
    Forbidden,
}

impl Why {
    /// The outcome that an audit row has.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Token(Refusal::Missing) => "NO_TOKEN",
            Self::Token(Refusal::Invalid) => "BAD_TOKEN",
            Self::Token(Refusal::Expired) => "EXPIRED_TOKEN",
            Self::Token(Refusal::Early) => "EARLY_TOKEN",
            Self::EndedSession => "ENDED_SESSION",
            Self::Forbidden => "FORBIDDEN",
        }
    }
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    why: Why,
    network: Option<IpAddr>,
    who: Option<Uuid>,
}

impl Kind {
    /// Of IPv6 addresses the first half counts, which is what one customer has.
    #[must_use]
    pub fn new(why: Why, address: Option<IpAddr>, who: Option<Uuid>) -> Self {
        let network = address.map(|address| match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 => v4,
        });
        Self { why, network, who }
    }
}

/// Who tells of somebody who was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Whoever has this turn, now.
    Now,
    /// Whoever has this turn, after [`TOGETHER`], by what [`Tally::counted`] says then.
    Later(Kind),
    /// Somebody else.
    Counted,
}

/// How many of a kind there are.
#[derive(Debug, Default)]
struct Count {
    minute: u64,
    alone: u64,
    /// Those that are to be told together.
    waiting: u64,
    /// Whether somebody has the turn to do that.
    is_awaited: bool,
}

/// Who was not let in, and is still to be told of.
#[derive(Debug, Default)]
pub struct Tally(HashMap<Kind, Count>);

impl Tally {
    /// Takes one more of `kind`, at `now` (seconds of the Unix epoch).
    pub fn take(&mut self, kind: Kind, now: u64) -> Turn {
        let minute = now / 60;
        let kind = self.known(kind, minute);
        let count = self.0.entry(kind).or_default();
        if count.minute != minute {
            (count.minute, count.alone) = (minute, 0);
        }
        if count.alone < ALONE {
            count.alone += 1;
            return Turn::Now;
        }
        count.waiting += 1;
        if self.take_turn(kind) { Turn::Later(kind) } else { Turn::Counted }
    }

    /// Takes back those of a kind that could not be told; the kind that they are of now. They are
    /// left to the next one of the kind, unless they are told of [again](Self::again).
    pub fn give_back(&mut self, kind: Kind, times: u64, now: u64) -> Kind {
        let kind = self.known(kind, now / 60);
        self.0.entry(kind).or_default().waiting += times;
        kind
    }

    /// The same; and that kind, if it is the caller's turn to tell of them once more.
    pub fn again(&mut self, kind: Kind, times: u64, now: u64) -> Option<Kind> {
        let kind = self.give_back(kind, times, now);
        self.take_turn(kind).then_some(kind)
    }

    /// Whether it is the caller's turn, and nobody else's, to tell of those who wait.
    fn take_turn(&mut self, kind: Kind) -> bool {
        !std::mem::replace(&mut self.0.entry(kind).or_default().is_awaited, true)
    }

    /// How many of the kind there have been whose turn it was to be told together. The next one
    /// begins anew.
    pub fn counted(&mut self, kind: Kind) -> u64 {
        let Some(count) = self.0.get_mut(&kind) else { return 0 };
        count.is_awaited = false;
        std::mem::take(&mut count.waiting)
    }

    /// The kind, or the one of all that are too many to be known apart.
    fn known(&mut self, kind: Kind, minute: u64) -> Kind {
        if self.0.len() >= KINDS_MAX {
            self.0.retain(|_, count| count.is_awaited || count.minute == minute);
        }
        let is_known = self.0.len() < KINDS_MAX || self.0.contains_key(&kind);
        if is_known { kind } else { Kind { network: None, who: None, ..kind } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn kind(address: &str) -> Kind {
        Kind::new(Why::Token(Refusal::Invalid), address.parse().ok(), None)
    }

    #[test]
    fn a_few_are_told_at_once_and_more_together() {
        let (mut tally, kind) = (Tally::default(), kind("192.0.2.7"));
        for _ in 0..ALONE {
            assert_eq!(tally.take(kind, NOW), Turn::Now);
        }
        assert_eq!(tally.take(kind, NOW), Turn::Later(kind));
        assert_eq!(tally.take(kind, NOW), Turn::Counted);
        assert_eq!(tally.take(kind, NOW + 1), Turn::Counted);
        assert_eq!(tally.counted(kind), 3);
        assert_eq!(tally.take(kind, NOW + 2), Turn::Later(kind));
        // The next minute has its own few, and what waits still does.
        assert_eq!(tally.take(kind, NOW + 60), Turn::Now);
        assert_eq!(tally.counted(kind), 1);
        assert_eq!(tally.counted(kind), 0);
    }

    #[test]
    fn what_could_not_be_told_is_told_with_the_next() {
        let (mut tally, kind) = (Tally::default(), kind("192.0.2.7"));
        // One that was told by itself, in vain.
        assert_eq!(tally.take(kind, NOW), Turn::Now);
        assert_eq!(tally.give_back(kind, 1, NOW), kind);
        assert!(tally.take_turn(kind));
        assert!(!tally.take_turn(kind), "somebody has it");
        assert_eq!(tally.counted(kind), 1);
        // Several, whose teller has given up.
        tally.give_back(kind, 3, NOW);
        for _ in 1..ALONE {
            assert_eq!(tally.take(kind, NOW), Turn::Now);
        }
        assert_eq!(tally.take(kind, NOW), Turn::Later(kind));
        assert_eq!(tally.counted(kind), 4);
    }

    #[test]
    fn kinds_are_told_apart_and_networks_are_one() {
        let mut tally = Tally::default();
        for _ in 0..ALONE {
            tally.take(kind("2001:db8::1"), NOW);
        }
        assert_eq!(tally.take(kind("2001:db8::ffff:2"), NOW), Turn::Later(kind("2001:db8::")));
        assert_eq!(tally.take(kind("2001:db8:0:1::1"), NOW), Turn::Now);
        assert_eq!(tally.take(kind("::ffff:192.0.2.1"), NOW), Turn::Now);
        assert_eq!(kind("::ffff:192.0.2.1"), kind("192.0.2.1"));
        let other = Kind { why: Why::Forbidden, ..kind("2001:db8::1") };
        assert_eq!(tally.take(other, NOW), Turn::Now);
        let whose = Kind { who: Some(Uuid::from_u128(1)), ..other };
        assert_eq!(tally.take(whose, NOW), Turn::Now);
    }

    #[test]
    fn nobody_is_forgotten_however_many_kinds_there_are() {
        let (mut tally, mut told) = (Tally::default(), 0);
        let mut later = Vec::new();
        let all = KINDS_MAX as u64 * 3;
        for number in 0..all {
            let address = Ipv6Addr::from_bits(u128::from(number) << 64);
            let kind = Kind::new(Why::Forbidden, Some(IpAddr::V6(address)), None);
            match tally.take(kind, NOW + number / 1000 * 20) {
                Turn::Now => told += 1,
                Turn::Later(kind) => later.push(kind),
                Turn::Counted => {}
            }
            assert!(tally.0.len() <= KINDS_MAX + 1);
        }
        told += later.into_iter().map(|kind| tally.counted(kind)).sum::<u64>();
        assert_eq!(told, all);
    }

    #[test]
    fn outcomes_have_their_codes() {
        let all = [Refusal::Missing, Refusal::Invalid, Refusal::Expired, Refusal::Early];
        let codes = all.map(|refusal| Why::Token(refusal).code());
        assert_eq!(codes, ["NO_TOKEN", "BAD_TOKEN", "EXPIRED_TOKEN", "EARLY_TOKEN"]);
        assert_eq!(Why::EndedSession.code(), "ENDED_SESSION");
        assert_eq!(Why::Forbidden.code(), "FORBIDDEN");
    }
}
