//! What one connection is doing, as a few clocks that its parts set and a watchdog reads. No timer
//! is armed per call: the watchdog looks at the clocks a few times per limit and decides then.
//! That a peer is still there is asked by HTTP/2's own pings.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::Limits;

/// Milliseconds since the process's first connection.
type Millis = u64;

/// The counts of a whole server.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Calls begun and not yet ended.
    pub(crate) calls: AtomicUsize,
    /// Calls in components.
    pub(crate) admitted: AtomicUsize,
    /// Health watches and reflection streams.
    pub(crate) watches: AtomicUsize,
}

/// The clocks of one connection.
#[derive(Debug)]
pub(crate) struct Clocks {
    /// The server's counts.
    pub(crate) counters: Arc<Counters>,
    began: Millis,
    greeted: AtomicBool,
    /// Calls of any kind in flight on this connection.
    active: AtomicU32,
    /// When the last one ended.
    idle_since: AtomicU64,
    /// When each call has to be over. A peer that leaves a stream's window shut is not seen on the
    /// connection, and the stream's body is not polled either.
    calls_until: Mutex<BTreeSet<(Millis, u64)>>,
    calls_begun: AtomicU64,
}

/// An entry of `calls_until`.
#[derive(Debug)]
pub(crate) struct CallClock(Millis, u64);

/// What the watchdog does about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing.
    Fine,
    /// No call in flight and none coming: close it politely.
    Idle,
    /// The peer holds on to something it does not use: drop it.
    Stuck,
}

impl Clocks {
    /// The clocks of a connection that begins now.
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        let now = now();
        Self {
            counters,
            began: now,
            greeted: AtomicBool::new(false),
            active: AtomicU32::new(0),
            idle_since: AtomicU64::new(now),
            calls_until: Mutex::default(),
            calls_begun: AtomicU64::new(0),
        }
    }

    /// The peer has said that it speaks HTTP/2.
    pub(crate) fn greeted(&self) {
        self.greeted.store(true, Relaxed);
    }

    /// A call begins.
    pub(crate) fn begin(&self) {
        self.active.fetch_add(1, Relaxed);
    }

    /// It is over, one way or another.
    pub(crate) fn end(&self) {
        self.idle_since.store(now(), Relaxed);
        self.active.fetch_sub(1, Relaxed);
    }

    /// A call begins to be answered that has to be over within `longest`.
    pub(crate) fn begin_call(&self, longest: Duration) -> CallClock {
        let id = self.calls_begun.fetch_add(1, Relaxed);
        let until = now().saturating_add(millis(longest));
        let mut calls = self.calls_until.lock().unwrap_or_else(PoisonError::into_inner);
        calls.insert((until, id));
        CallClock(until, id)
    }

    /// It is over.
    pub(crate) fn end_call(&self, CallClock(until, id): CallClock) {
        let mut calls = self.calls_until.lock().unwrap_or_else(PoisonError::into_inner);
        calls.remove(&(until, id));
    }

    /// What is to be done about the connection now.
    pub(crate) fn look(&self, limits: &Limits) -> Finding {
        self.look_at(now(), limits)
    }

    fn look_at(&self, now: Millis, limits: &Limits) -> Finding {
        let past = |since: Millis, limit: Duration| now.saturating_sub(since) >= millis(limit);
        if !self.greeted.load(Relaxed) {
            let late = past(self.began, limits.greeting_time_max);
            return if late { Finding::Stuck } else { Finding::Fine };
        }
        if self.active.load(Relaxed) > 0 {
            let calls = self.calls_until.lock().unwrap_or_else(PoisonError::into_inner);
            let overdue = calls.first().is_some_and(|(until, _)| *until <= now);
            return if overdue { Finding::Stuck } else { Finding::Fine };
        }
        let idle = past(self.idle_since.load(Relaxed), limits.idle_time_max);
        if idle { Finding::Idle } else { Finding::Fine }
    }
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn now() -> Millis {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    millis(START.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            greeting_time_max: Duration::from_millis(100),
            idle_time_max: Duration::from_millis(500),
            ..Limits::default()
        }
    }

    #[test]
    fn a_greeting_may_take_its_time_and_no_longer() {
        let clocks = Clocks { began: 1000, ..Clocks::new(Arc::default()) };
        clocks.idle_since.store(1000, Relaxed);
        assert_eq!(clocks.look_at(1099, &limits()), Finding::Fine);
        assert_eq!(clocks.look_at(1100, &limits()), Finding::Stuck);
        clocks.greeted();
        assert_eq!(clocks.look_at(1499, &limits()), Finding::Fine);
        assert_eq!(clocks.look_at(1500, &limits()), Finding::Idle);
    }

    #[test]
    fn a_call_in_flight_is_not_idle_and_may_be_overdue() {
        let clocks = Clocks::new(Arc::default());
        clocks.greeted();
        clocks.begin();
        assert_eq!(clocks.look_at(Millis::MAX, &limits()), Finding::Fine);
        let slow = clocks.begin_call(Duration::ZERO);
        let fast = clocks.begin_call(Duration::from_secs(3600));
        assert_eq!(clocks.look(&limits()), Finding::Stuck);
        clocks.end_call(slow);
        assert_eq!(clocks.look(&limits()), Finding::Fine);
        clocks.end_call(fast);
        clocks.end();
        assert_eq!(clocks.look_at(Millis::MAX, &limits()), Finding::Idle);
    }
}
