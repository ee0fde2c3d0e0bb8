//! How much of something one may have in a second, with so much more in a burst: the generic cell
//! rate algorithm (ITU-T I.371), which is one moment in one word. What it is spent on, its owner
//! knows.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What is left of it now.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// What one unit takes, in nanoseconds.
    unit: u64,
    /// How far ahead of the clock it may be spent.
    burst: u64,
    /// When all that was spent will have come in again.
    spent_until: AtomicU64,
}

/// How far beyond the burst one may come to be. What is spent beyond that is forgiven, so that
/// nobody waits for longer.
const DEBT_MAX: Duration = Duration::from_secs(1);

impl Allowance {
    /// So many units a second, and so many at once.
    pub(crate) fn new(per_second: u64, at_once: u64) -> Self {
        let unit = 1_000_000_000 / per_second.max(1);
        Self { unit, burst: unit.saturating_mul(at_once), spent_until: AtomicU64::new(0) }
    }

    /// One in so long.
    pub(crate) fn every(interval: Duration) -> Self {
        let unit = nanos(interval);
        Self { unit, burst: unit, spent_until: AtomicU64::new(0) }
    }

    /// Spends one, if there is one.
    pub(crate) fn try_spend(&self) -> bool {
        self.try_spend_at(now())
    }

    fn try_spend_at(&self, now: u64) -> bool {
        let spend = |until: u64| {
            let until = until.max(now).saturating_add(self.unit);
            (until <= now.saturating_add(self.burst)).then_some(until)
        };
        self.spent_until.fetch_update(Relaxed, Relaxed, spend).is_ok()
    }

    /// Spends `units` whether they are there or not, and says how long to wait for that.
    pub(crate) fn spend(&self, units: u64) -> Duration {
        self.spend_at(now(), units)
    }

    fn spend_at(&self, now: u64, units: u64) -> Duration {
        let allowed = now.saturating_add(self.burst);
        let most = allowed.saturating_add(nanos(DEBT_MAX));
        let cost = self.unit.saturating_mul(units);
        let spend = |until: u64| Some(until.max(now).saturating_add(cost).min(most));
        let before = self.spent_until.fetch_update(Relaxed, Relaxed, spend).unwrap_or(most);
        let until = before.max(now).saturating_add(cost).min(most);
        Duration::from_nanos(until.saturating_sub(allowed))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// On a clock of the process's own.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    nanos(START.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn there_is_a_burst_and_then_so_many_a_second() {
        let allowance = Allowance::new(10, 3);
        let at = |now| allowance.try_spend_at(now);
        assert_eq!([at(0), at(0), at(0), at(0)], [true, true, true, false]);
        let tenth = SECOND / 10;
        assert_eq!([at(tenth - 1), at(tenth), at(tenth)], [false, true, false]);
        let late = 100 * SECOND;
        assert_eq!([at(late), at(late), at(late), at(late)], [true, true, true, false]);
    }

    #[test]
    fn one_in_so_long() {
        let allowance = Allowance::every(Duration::from_secs(2));
        let at = |now| allowance.try_spend_at(now);
        let all = [at(SECOND), at(2 * SECOND), at(3 * SECOND), at(4 * SECOND), at(5 * SECOND)];
        assert_eq!(all, [true, false, true, false, true]);
    }

    #[test]
    fn who_spends_more_waits_for_it_and_not_for_ever() {
        let allowance = Allowance::new(1000, 100);
        let at = |now, units| allowance.spend_at(now, units);
        assert_eq!(at(0, 100), Duration::ZERO);
        assert_eq!(at(0, 50), Duration::from_millis(50));
        assert_eq!(at(SECOND / 20, 10), Duration::from_millis(10));
        assert_eq!(at(SECOND, u64::MAX), DEBT_MAX);
        assert_eq!(at(3 * SECOND, 0), Duration::ZERO);
    }
}
