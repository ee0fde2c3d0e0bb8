//! What one connection is doing, as a few clocks that its parts set and a watchdog reads. No timer
//! is armed per request: the watchdog looks at the clocks a few times per limit and decides then.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::Limits;

/// Milliseconds since the process's first connection, plus one; 0 means "not running".
type Millis = u64;

/// The counts of a whole server.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Requests begun and not yet ended, of any kind.
    pub(crate) requests: AtomicUsize,
    /// Requests in components.
    pub(crate) admitted: AtomicUsize,
    /// Of those, the streams of server-sent events.
    pub(crate) event_streams: AtomicUsize,
}

/// The clocks of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    /// The server's counts.
    pub(crate) counters: Arc<Counters>,
    /// Requests in flight on this connection.
    active: AtomicU32,
    /// When the first byte of a head came (or the connection began), until the head is whole.
    head_since: AtomicU64,
    /// When the last request ended.
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

impl Activity {
    /// The clocks of a connection that begins now.
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        let now = now();
        Self {
            counters,
            active: AtomicU32::new(0),
            head_since: AtomicU64::new(now),
            idle_since: AtomicU64::new(now),
            write_blocked_since: AtomicU64::new(0),
            streams_until: Mutex::default(),
            streams_begun: AtomicU64::new(0),
        }
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        if self.active.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(now(), Relaxed);
        }
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
        self.counters.requests.fetch_add(1, Relaxed);
        self.active.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
    }

    /// The response is over, one way or another.
    pub(crate) fn end(&self) {
        self.counters.requests.fetch_sub(1, Relaxed);
        self.idle_since.store(now(), Relaxed);
        self.active.fetch_sub(1, Relaxed);
    }

    /// An HTTP/2 stream begins that has to be over within `longest`.
    pub(crate) fn begin_stream(&self, longest: Duration) -> StreamClock {
        let id = self.streams_begun.fetch_add(1, Relaxed);
        let until = now().saturating_add(millis(longest));
        let mut streams = self.streams_until.lock().unwrap_or_else(PoisonError::into_inner);
        streams.insert((until, id));
        StreamClock(until, id)
    }

    /// It is over.
    pub(crate) fn end_stream(&self, StreamClock(until, id): StreamClock) {
        let mut streams = self.streams_until.lock().unwrap_or_else(PoisonError::into_inner);
        streams.remove(&(until, id));
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
            let streams = self.streams_until.lock().unwrap_or_else(PoisonError::into_inner);
            let overdue = streams.first().is_some_and(|(until, _)| *until <= now);
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
        let activity = Activity::new(Arc::default());
        set(&activity.head_since, 1000);
        set(&activity.idle_since, 1000);
        assert_eq!(activity.look_at(1099, &limits()), Finding::Fine);
        assert_eq!(activity.look_at(1100, &limits()), Finding::Idle);
    }

    #[test]
    fn an_idle_connection_has_longer_than_a_slow_head() {
        let activity = Activity::new(Arc::default());
        activity.begin();
        activity.end();
        set(&activity.idle_since, 1000);
        assert_eq!(activity.look_at(1499, &limits()), Finding::Fine);
        assert_eq!(activity.look_at(1500, &limits()), Finding::Idle);
        activity.received();
        set(&activity.head_since, 1300);
        assert_eq!(activity.look_at(1400, &limits()), Finding::Idle);
    }

    #[test]
    fn a_request_in_flight_stops_both_clocks() {
        let activity = Activity::new(Arc::default());
        activity.begin();
        activity.received();
        assert_eq!(activity.look_at(u64::MAX, &limits()), Finding::Fine);
        activity.end();
        assert_eq!(activity.look_at(u64::MAX, &limits()), Finding::Idle);
    }

    #[test]
    fn an_unread_response_is_stuck_until_the_peer_takes_something() {
        let activity = Activity::new(Arc::default());
        activity.begin();
        activity.sent(false);
        set(&activity.write_blocked_since, 1000);
        activity.sent(false);
        assert_eq!(activity.look_at(1299, &limits()), Finding::Fine);
        assert_eq!(activity.look_at(1300, &limits()), Finding::Stuck);
        activity.sent(true);
        assert_eq!(activity.look_at(u64::MAX, &limits()), Finding::Fine);
    }

    #[test]
    fn an_overdue_stream_is_stuck() {
        let activity = Activity::new(Arc::default());
        activity.begin();
        let slow = activity.begin_stream(Duration::ZERO);
        let fast = activity.begin_stream(Duration::from_secs(3600));
        assert_eq!(activity.look(&limits()), Finding::Stuck);
        activity.end_stream(slow);
        assert_eq!(activity.look(&limits()), Finding::Fine);
        activity.end_stream(fast);
    }
}
