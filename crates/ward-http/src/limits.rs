//! Every bound of the HTTP trigger in one place, with its reason. A limit is checked where the
//! thing it bounds is read; the tests try each at the limit and one past it.

use std::time::Duration;

/// What clients and responses may cost. The defaults suit a gateway on a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's head: request line and fields, with their separators. 64 KiB is what a
    /// browser's cookies for one site can come to, several times over. Beyond it: 431.
    pub head_bytes_max: usize,
    /// From a request's first byte, or a connection's start, to the end of its head. 10 s covers
    /// three lost packets in a row on a slow link. Beyond it the connection is closed.
    pub head_time_max: Duration,
    /// Between two requests on a connection. 60 s is what load balancers keep theirs.
    pub idle_time_max: Duration,
    /// Bytes of a request's body. 10 MiB is five times the largest JSON batch the application
    /// takes, and 100 of them in flight at once still fit in memory. Beyond it: 413.
    pub body_bytes_max: u64,
    /// Between two pieces of a request's body, once the component waits for one. Beyond it: 408.
    pub body_gap_max: Duration,
    /// How long a client may leave a response unread. Beyond it the connection is closed.
    pub response_stall_max: Duration,
    /// Requests in components at once. The runtime has 1000 instances, each good for 16 requests
    /// at once; 1024 keeps the queue in front of two cores to tens of milliseconds. Beyond it: 503.
    pub requests_max: usize,
    /// Streams of server-sent events at once. Each is a request that lasts: a quarter of
    /// [`Limits::requests_max`] leaves the others their places. Beyond it: 503.
    pub event_streams_max: usize,
    /// Connections at once. An idle one costs about 10 KiB, so 4096 are 40 MiB at the most.
    /// Further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// HTTP/2 streams open at once on one connection: RFC 9113's recommended least.
    pub streams_max: u32,
    /// HTTP/2 streams a client may reset before they were looked at; the rapid-reset attack. What
    /// the h2 library's authors chose.
    pub resets_max: usize,
    /// While draining: how long a connection stays open for requests already on their way, which
    /// get a 503 rather than a reset. One round trip to the far end of a continent.
    pub drain_linger: Duration,
    /// While draining: how long requests in flight may take before they are cut.
    pub drain_time_max: Duration,
}

/// 64 KiB.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// 10 MiB.
const BODY_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// How long an unread body is read and thrown away after its response, so that the client sees
/// the response and not a reset: time enough for a client to stop sending once it has the answer.
pub(crate) const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);

/// What hyper may buffer while it looks for the end of a head, as a multiple of
/// [`Limits::head_bytes_max`]. It has to see the whole head for us to answer with a document;
/// past twice the limit it answers 431 by itself, without one.
pub(crate) const HEAD_BUFFER_FACTOR: usize = 2;

/// The smallest buffer hyper accepts.
pub(crate) const HEAD_BUFFER_BYTES_MIN: usize = 8192;

/// Bytes of a response buffered for one HTTP/2 stream: 100 streams are 6 MiB a connection.
pub(crate) const STREAM_SEND_BYTES_MAX: usize = 64 * 1024;

/// How often a connection's clocks are looked at, as a part of the shortest of its limits: a
/// connection is closed at most a quarter late, and an idle one costs a wake-up every 2.5 s.
pub(crate) const WATCH_DIVISOR: u32 = 4;

/// Seconds a client is told to wait before it tries again: overload passes in less, and a
/// replacement for a draining process is up in about that.
pub(crate) const RETRY_AFTER_SECONDS: u16 = 1;

/// How long accepting rests when the process is out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: HEAD_BYTES_MAX,
            head_time_max: Duration::from_secs(10),
            idle_time_max: Duration::from_secs(60),
            body_bytes_max: BODY_BYTES_MAX,
            body_gap_max: Duration::from_secs(10),
            response_stall_max: Duration::from_secs(30),
            requests_max: 1024,
            event_streams_max: 256,
            connections_max: 4096,
            streams_max: 100,
            resets_max: 20,
            drain_linger: Duration::from_millis(100),
            drain_time_max: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How often a connection's clocks are looked at.
    pub(crate) fn watch_interval(&self) -> Duration {
        let shortest = self.head_time_max.min(self.idle_time_max).min(self.response_stall_max);
        (shortest / WATCH_DIVISOR).max(Duration::from_millis(1))
    }

    /// What hyper may buffer for a head.
    pub(crate) fn head_buffer_bytes(&self) -> usize {
        self.head_bytes_max.saturating_mul(HEAD_BUFFER_FACTOR).max(HEAD_BUFFER_BYTES_MIN)
    }
}
