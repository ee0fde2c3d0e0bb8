//! What one connection is doing, as a few clocks that its parts set and a watchdog reads. No timer
//! is armed per request: the watchdog looks at the clocks a few times per limit and decides then.
//! That an HTTP/2 client is still there is asked by pings.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{Limits, NEWCOMER_GRACE, RETURN_GRACE};

/// Milliseconds since the process's first connection, plus one; 0 means "not running".
pub(crate) type Millis = u64;

/// The clocks of one connection.
#[derive(Debug)]
pub(crate) struct Clocks {
    /// Requests in flight on this connection.
    active: AtomicU32,
    /// Of those, the ones whose body has come as far as it is waited for.
    working: AtomicU32,
    /// Whether any request has had an answer other than a refusal.
    used: AtomicBool,
    /// Whether the peer has said that it speaks HTTP/2, which it does once.
    greeted: AtomicBool,
    /// When the first byte of a head came (or the connection began), until the head is whole.
    head_since: AtomicU64,
    /// When the connection began, or its last request did, or that ended.
    idle_since: AtomicU64,
    /// When the peer stopped taking what we write.
    write_blocked_since: AtomicU64,
    /// When each HTTP/2 stream has to be over. A peer that leaves a stream's window shut is not
    /// seen on the connection, and the stream's body is not polled either.
    streams_until: Mutex<BTreeSet<(Millis, u64)>>,
    streams_begun: AtomicU64,
}

/// An entry of `streams_until`.
#[derive(Debug)]
pub(crate) struct StreamClock(Millis, u64);

/// What the watchdog does about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing.
    Fine,
    /// No request in flight and none coming: close it politely.
    Idle,
    /// The peer holds on to something it does not use: drop it.
    Stuck,
}

/// How well a connection could be done without: the least first.
pub(crate) type Idleness = (u8, Millis);

impl Clocks {
    /// The clocks of a connection that begins now.
    pub(crate) fn new() -> Self {
        let now = now();
        Self {
            active: AtomicU32::new(0),
            working: AtomicU32::new(0),
            used: AtomicBool::new(false),
            greeted: AtomicBool::new(false),
            head_since: AtomicU64::new(now),
            idle_since: AtomicU64::new(now),
            write_blocked_since: AtomicU64::new(0),
            streams_until: Mutex::default(),
            streams_begun: AtomicU64::new(0),
        }
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        // Of HTTP/2's frames between two requests most are none of a head, and pings never are.
        if self.active.load(Relaxed) == 0
            && self.head_since.load(Relaxed) == 0
            && !self.greeted.load(Relaxed)
        {
            self.head_since.store(now(), Relaxed);
        }
    }

    /// The peer has sent all of HTTP/2's preface.
    pub(crate) fn greeted(&self) {
        self.greeted.store(true, Relaxed);
        self.head_since.store(0, Relaxed);
    }

    /// The peer took bytes (`true`), or has no room for more (`false`).
    pub(crate) fn sent(&self, taken: bool) {
        let blocked = self.write_blocked_since.load(Relaxed) != 0;
        if taken && blocked {
            self.write_blocked_since.store(0, Relaxed);
            // A request is over when its response is in a buffer; a slow client takes longer.
            self.idle_since.store(now(), Relaxed);
        } else if !taken && !blocked {
            self.write_blocked_since.store(now(), Relaxed);
        }
    }

    /// A request's head is whole.
    pub(crate) fn begin(&self) {
        self.active.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        self.idle_since.store(now(), Relaxed);
    }

    /// Work begins for a request that has begun.
    pub(crate) fn begin_work(&self) {
        self.working.fetch_add(1, Relaxed);
    }

    /// The response is over, one way or another. A refusal costs its client nothing, and makes the
    /// connection no better than one that was never used.
    pub(crate) fn end(&self, worked: bool, is_refused: bool) {
        self.idle_since.store(now(), Relaxed);
        if !is_refused {
            self.used.store(true, Relaxed);
        }
        if worked {
            self.working.fetch_sub(1, Relaxed);
        }
        self.active.fetch_sub(1, Relaxed);
    }

    /// An HTTP/2 stream begins that has to be over within `longest`.
    pub(crate) fn begin_stream(&self, longest: Duration) -> StreamClock {
        let id = self.streams_begun.fetch_add(1, Relaxed);
        let until = now().saturating_add(millis(longest));
        self.streams().insert((until, id));
        StreamClock(until, id)
    }

    /// It is over.
    pub(crate) fn end_stream(&self, StreamClock(until, id): StreamClock) {
        self.streams().remove(&(until, id));
    }

    fn streams(&self) -> MutexGuard<'_, BTreeSet<(Millis, u64)>> {
        // A set of moments is whole whatever became of who had it.
        self.streams_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How well the connection could be done without; `None` while there is work for it.
    pub(crate) fn idleness(&self) -> Option<Idleness> {
        self.idleness_at(now())
    }

    /// A client that has come, or has just been answered, most likely has a request on its way:
    /// who only sits has been there for longer, and goes first. Of those, who never had more than
    /// a refusal goes before who lets a body wait, and that one before whoever has had an answer.
    fn idleness_at(&self, now: Millis) -> Option<Idleness> {
        if self.working.load(Relaxed) > 0 {
            return None;
        }
        let since = self.idle_since.load(Relaxed);
        let sits = |grace: Duration| now.saturating_sub(since) >= millis(grace);
        let kind = match (self.active.load(Relaxed), self.used.load(Relaxed)) {
            (0, false) if sits(NEWCOMER_GRACE) => 0,
            (1.., _) if sits(NEWCOMER_GRACE) => 1,
            (0, true) if sits(RETURN_GRACE) => 2,
            (0, true) => 4,
            _ => 3,
        };
        Some((kind, since))
    }

    /// What is to be done about the connection now.
    pub(crate) fn look(&self, limits: &Limits) -> Finding {
        self.look_at(now(), limits)
    }

    fn look_at(&self, now: Millis, limits: &Limits) -> Finding {
        let past = |since: Millis, limit: Duration| {
            since != 0 && now.saturating_sub(since) >= millis(limit)
        };
        if past(self.write_blocked_since.load(Relaxed), limits.response_stall_max) {
            return Finding::Stuck;
        }
        if self.active.load(Relaxed) > 0 {
            let overdue = self.streams().first().is_some_and(|(until, _)| *until <= now);
            return if overdue { Finding::Stuck } else { Finding::Fine };
        }
        let head = past(self.head_since.load(Relaxed), limits.head_time_max);
        let idle = past(self.idle_since.load(Relaxed), limits.idle_time_max);
        if head || idle { Finding::Idle } else { Finding::Fine }
    }
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn now() -> Millis {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    millis(START.elapsed()).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            head_time_max: Duration::from_millis(100),
            idle_time_max: Duration::from_millis(500),
            response_stall_max: Duration::from_millis(300),
            ..Limits::default()
        }
    }

    fn set(clock: &AtomicU64, value: Millis) {
        clock.store(value, Relaxed);
    }

    #[test]
    fn a_head_may_take_its_time_and_no_longer() {
        let clocks = Clocks::new();
        set(&clocks.head_since, 1000);
        set(&clocks.idle_since, 1000);
        assert_eq!(clocks.look_at(1099, &limits()), Finding::Fine);
        assert_eq!(clocks.look_at(1100, &limits()), Finding::Idle);
    }

    #[test]
    fn the_first_byte_of_a_head_starts_its_clock_and_no_other_does() {
        let clocks = Clocks::new();
        let started = || clocks.head_since.load(Relaxed);
        clocks.begin();
        clocks.received();
        assert_eq!(started(), 0, "that was of a body");
        clocks.end(false, false);
        clocks.received();
        assert_ne!(started(), 0);
        set(&clocks.head_since, Millis::MAX);
        clocks.received();
        assert_eq!(started(), Millis::MAX);
    }

    #[test]
    fn who_has_greeted_is_idle_and_its_pings_are_no_heads() {
        let clocks = Clocks::new();
        set(&clocks.head_since, 1000);
        set(&clocks.idle_since, 1000);
        clocks.greeted();
        clocks.received();
        assert_eq!(clocks.look_at(1499, &limits()), Finding::Fine);
        assert_eq!(clocks.look_at(1500, &limits()), Finding::Idle);
    }

    #[test]
    fn an_idle_connection_has_longer_than_a_slow_head() {
        let clocks = Clocks::new();
        clocks.begin();
        clocks.end(false, false);
        set(&clocks.idle_since, 1000);
        assert_eq!(clocks.look_at(1499, &limits()), Finding::Fine);
        assert_eq!(clocks.look_at(1500, &limits()), Finding::Idle);
        clocks.received();
        set(&clocks.head_since, 1300);
        assert_eq!(clocks.look_at(1400, &limits()), Finding::Idle);
    }

    #[test]
    fn a_request_in_flight_stops_both_clocks() {
        let clocks = Clocks::new();
        clocks.begin();
        clocks.received();
        assert_eq!(clocks.look_at(u64::MAX, &limits()), Finding::Fine);
        clocks.end(false, false);
        assert_eq!(clocks.look_at(u64::MAX, &limits()), Finding::Idle);
    }

    #[test]
    fn an_unread_response_is_stuck_until_the_peer_takes_something() {
        let clocks = Clocks::new();
        clocks.begin();
        clocks.sent(true);
        assert_eq!(clocks.look_at(u64::MAX, &limits()), Finding::Fine);
        clocks.sent(false);
        assert_eq!(clocks.look_at(u64::MAX, &limits()), Finding::Stuck);
        set(&clocks.write_blocked_since, 1000);
        clocks.sent(false);
        assert_eq!(clocks.look_at(1299, &limits()), Finding::Fine);
        assert_eq!(clocks.look_at(1300, &limits()), Finding::Stuck);
        clocks.sent(true);
        assert_eq!(clocks.look_at(u64::MAX, &limits()), Finding::Fine);
    }

    #[test]
    fn an_overdue_stream_is_stuck() {
        let clocks = Clocks::new();
        clocks.begin();
        let slow = clocks.begin_stream(Duration::ZERO);
        let fast = clocks.begin_stream(Duration::from_secs(3600));
        assert_eq!(clocks.look(&limits()), Finding::Stuck);
        clocks.end_stream(slow);
        assert_eq!(clocks.look(&limits()), Finding::Fine);
        clocks.end_stream(fast);
    }

    #[test]
    fn who_only_sits_goes_before_who_has_just_come_or_been_answered() {
        let [silent, refused, kept, waiting, working] = std::array::from_fn(|_| Clocks::new());
        refused.begin();
        refused.end(false, true);
        kept.begin();
        kept.end(false, false);
        waiting.begin();
        working.begin();
        working.begin_work();
        let kinds = |after: Duration| {
            let now = now().saturating_add(millis(after));
            [&silent, &refused, &waiting, &kept].map(|clocks| clocks.idleness_at(now).unwrap().0)
        };
        assert_eq!(kinds(Duration::ZERO), [3, 3, 3, 4]);
        assert_eq!(kinds(NEWCOMER_GRACE), [0, 0, 1, 4]);
        assert_eq!(kinds(RETURN_GRACE), [0, 0, 1, 2]);
        assert_eq!(working.idleness(), None);
        working.end(true, false);
        assert!(working.idleness().is_some());
    }
}
