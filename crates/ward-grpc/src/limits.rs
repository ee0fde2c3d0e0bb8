//! Every bound of the gRPC trigger in one place, with its reason. A limit is checked where the
//! thing it bounds is read; the tests try each at the limit and one past it.

use std::time::Duration;

/// What clients and answers may cost. The defaults suit a service on a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a call's metadata as HTTP/2 counts them: names, values, and 32 for each field. A
    /// token may have 8 KiB; gRPC's own libraries stop at 8 or 16. Beyond it: RESOURCE_EXHAUSTED.
    pub head_bytes_max: usize,
    /// Bytes of a message either way, decompressed. Beyond it: RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
    /// From a connection's start to the end of its TLS and HTTP/2 greetings. 10 s covers three lost
    /// packets in a row on a slow link. Beyond it the connection is closed.
    pub greeting_time_max: Duration,
    /// Between two calls on a connection. Clients keep a channel for as long as they live, and open
    /// it anew unasked, so what is idle for 5 minutes may go.
    pub idle_time_max: Duration,
    /// How long a client may leave an answer unread, counted from the call's deadline. Beyond it
    /// the connection is closed.
    pub answer_stall_max: Duration,
    /// How long a connection is silent before the client is asked whether it is still there. Twice
    /// as often as the load balancers' usual minute.
    pub ping_interval: Duration,
    /// How long the client has to say so. Beyond it the connection is closed.
    pub ping_time_max: Duration,
    /// Calls in components at once. The runtime has 1000 instances, each good for 16 at once; 1024
    /// keeps the queue in front of two cores to tens of milliseconds. Beyond it: UNAVAILABLE, which
    /// clients know to try again; RESOURCE_EXHAUSTED would tell them that they are the problem.
    pub calls_max: usize,
    /// Connections at once. An idle one costs about 10 KiB, so 4096 are 40 MiB at the most.
    /// Further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Calls at once on one connection: RFC 9113's recommended least.
    pub streams_max: u32,
    /// Calls a client may reset before they were looked at; the rapid-reset attack. What the h2
    /// library's authors chose.
    pub resets_max: usize,
    /// Health watches and reflection streams at once, for which nobody needs a token. Beyond it:
    /// RESOURCE_EXHAUSTED. A single health check is never refused.
    pub watches_max: usize,
    /// How long a client may keep asking for descriptors on one stream.
    pub reflection_time_max: Duration,
    /// While draining: how long clients have to see that the services are not serving before they
    /// are told to go. Calls are still answered.
    pub drain_linger: Duration,
    /// While draining: how long calls in flight may take before they are cut.
    pub drain_time_max: Duration,
}

/// Answers shorter than this are sent as they are, whatever the client understands: most clients
/// say that they do, and deflating a few hundred bytes costs more time than it saves on any network.
pub(crate) const COMPRESSED_BYTES_MIN: usize = 1024;

/// Room taken for an answer before its length is known; most fit.
pub(crate) const MESSAGE_BYTES: usize = 256;

/// What h2 may take of a head, as a multiple of [`Limits::head_bytes_max`]. It has to see the whole
/// head for us to answer with a status; past twice the limit it answers 431 by itself.
pub(crate) const HEAD_BUFFER_FACTOR: usize = 2;

/// Bytes of an answer buffered for one call: 100 of them are 6 MiB a connection.
pub(crate) const STREAM_SEND_BYTES_MAX: usize = 64 * 1024;

/// How often a connection's clocks are looked at, as a part of the shortest of its limits: a
/// connection is closed at most a quarter late, and an idle one costs a wake-up every 2.5 s.
pub(crate) const WATCH_DIVISOR: u32 = 4;

/// How long accepting rests when the process is out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            message_bytes_max: 4 * 1024 * 1024,
            greeting_time_max: Duration::from_secs(10),
            idle_time_max: Duration::from_secs(300),
            answer_stall_max: Duration::from_secs(30),
            ping_interval: Duration::from_secs(30),
            ping_time_max: Duration::from_secs(20),
            calls_max: 1024,
            connections_max: 4096,
            streams_max: 100,
            resets_max: 20,
            watches_max: 256,
            reflection_time_max: Duration::from_secs(60),
            drain_linger: Duration::from_millis(100),
            drain_time_max: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How often a connection's clocks are looked at.
    pub(crate) fn watch_interval(&self) -> Duration {
        let shortest = self.greeting_time_max.min(self.idle_time_max).min(self.answer_stall_max);
        (shortest / WATCH_DIVISOR).max(Duration::from_millis(1))
    }
}
