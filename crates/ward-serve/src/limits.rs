//! Every bound of a listener in one place, with its reason. A limit is checked where the thing it
//! bounds is read; the tests try each at the limit and one past it.

use std::time::Duration;

/// What clients and answers may cost. The defaults suit a gateway on a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's head. 64 KiB is what a browser's cookies for one site can come to,
    /// several times over.
    pub head_bytes_max: usize,
    /// From a request's first byte, or a connection's start, to the end of its head; with HTTP/2
    /// to the end of the greetings. 10 s covers three lost packets in a row on a slow link. Beyond
    /// it the connection is closed.
    pub head_time_max: Duration,
    /// Between two requests on a connection. Load balancers keep theirs for 60 s, and send the next
    /// request into a connection that is just being closed unless it is kept for longer here.
    pub idle_time_max: Duration,
    /// How HTTP/2 clients are asked whether they are still there.
    pub ping: Ping,
    /// Bytes of a request's body. 10 MiB is five times the largest JSON batch the application
    /// takes, and 100 of them in flight at once still fit in memory.
    pub body_bytes_max: u64,
    /// Between two pieces of a request's body, once it is waited for.
    pub body_gap_max: Duration,
    /// For the beginning of a body, up to 64 KiB, before anything is begun for it. 20 s is 26
    /// kbit/s, less than any link that a person puts up with; no place is held meanwhile.
    pub body_begin_time_max: Duration,
    /// Bodies that are waited for at once. With 64 KiB each they are 64 MiB at the most. Beyond it
    /// the oldest of whoever has most of them is given up.
    pub bodies_waiting_max: usize,
    /// How long a client may leave an answer unread. Beyond it the connection is closed.
    pub response_stall_max: Duration,
    /// Requests at work at once. The runtime has 1000 instances, each good for 16 requests at once;
    /// 1024 keeps the queue in front of two cores to tens of milliseconds.
    pub requests_max: usize,
    /// The part of a peer's places that one connection may have, as a divisor: 32 of 256. An HTTP/2
    /// connection may have 100 requests under way; those beyond wait for the former to end.
    pub connection_part: usize,
    /// Requests of one peer at work whose client has gone. Whoever opens requests and leaves them
    /// gets no further places until these have ended: 16 of the slowest kind, a login, are 0.2 s of
    /// two cores.
    pub abandoned_max: usize,
    /// Requests that wait for a place, with what has come of their bodies: 64 MiB at the most.
    pub queue_max: usize,
    /// How long they wait. Longer than the places' slowest usual work, shorter than the patience of
    /// a person or of a client's own time limit.
    pub queue_time_max: Duration,
    /// Answers at once that last: streams of server-sent events, health watches, reflection. A
    /// quarter of [`Limits::requests_max`]: each keeps an instance, or a part of one, from others.
    pub lasting_max: usize,
    /// Connections at once. An idle one costs about 10 KiB, so 4096 are 40 MiB at the most.
    pub connections_max: usize,
    /// Connections beyond that on which only questions after health are answered. Those who ask are
    /// a handful of probes; 64 are a quarter of that for each of 16 addresses.
    pub spare_connections_max: usize,
    /// HTTP/2 streams open at once on one connection: RFC 9113's recommended least.
    pub streams_max: u32,
    /// HTTP/2 streams a client may reset before they were looked at; the rapid-reset attack. What
    /// the h2 library's authors chose.
    pub resets_max: usize,
    /// While draining: how long a connection stays open for requests already on their way, which
    /// get an answer rather than a reset. One round trip to the far end of a continent.
    pub drain_linger: Duration,
    /// While draining: how long requests in flight may take before they are cut.
    pub drain_time_max: Duration,
    /// How much of all this one peer may have. With a quarter, three peers that take all they can
    /// leave the fourth its own. 100 where there is only one peer, such as a proxy that is not
    /// trusted to say whom it speaks for.
    pub peer_share_percent: usize,
}

/// How a client that is silent is asked whether it is there. TCP alone notices after hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// After how long a silence. Twice as often as the load balancers' usual minute.
    pub interval: Duration,
    /// How long the client has to say so. Beyond it the connection is closed.
    pub time_max: Duration,
}

/// Seconds a client is told to wait before it tries again: overload passes in less, and a
/// replacement for a draining process is up in about that.
pub const RETRY_AFTER_SECONDS: u16 = 1;

/// Bytes of a body that are read before anything is begun for it: nearly every document that a
/// person or a program writes by itself.
pub(crate) const BODY_BEGIN_BYTES: usize = 64 * 1024;

/// How long an unread body is read and thrown away after its response, so that the client sees
/// the response and not a reset: time enough for a client to stop sending once it has the answer.
pub(crate) const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);

/// As so many bytes a piece of such a body counts at least. A piece costs about 0.4 us however
/// small it is; a megabyte in chunks of one byte would cost half a second, for nothing.
pub(crate) const DISCARD_PIECE_BYTES: u64 = 1024;

/// What hyper may buffer while it looks for the end of a head, as a multiple of
/// [`Limits::head_bytes_max`]. It has to see the whole head for us to answer with a document;
/// past twice the limit it answers 431 by itself, without one.
const HEAD_BUFFER_FACTOR: usize = 2;

/// The smallest buffer hyper accepts.
const HEAD_BUFFER_BYTES_MIN: usize = 8192;

/// Bytes of a response buffered for one HTTP/2 stream: 100 streams are 6 MiB a connection.
pub(crate) const STREAM_SEND_BYTES_MAX: usize = 64 * 1024;

/// Bytes that may come on an HTTP/2 stream before somebody reads them: twice what is read ahead of
/// a body.
pub(crate) const STREAM_RECEIVE_BYTES_MAX: u32 = 128 * 1024;

/// The same over all streams of a connection: what keeps 1024 connections of one address with
/// bodies that wait for a place to 256 MiB, and fills a link of 20 Mbit/s at 100 ms.
pub(crate) const CONNECTION_RECEIVE_BYTES_MAX: u32 = 256 * 1024;

/// How often a connection's clocks are looked at, as a part of the shortest of its limits: a
/// connection is closed at most a quarter late, and an idle one costs a wake-up every 2.5 s.
const WATCH_DIVISOR: u32 = 4;

/// How long accepting rests when the process is out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that the kernel keeps for a listener until they are accepted.
pub(crate) const BACKLOG: u32 = 4096;

/// How often the certificate's files are looked at. Whoever renews a certificate does so days
/// before the old one ends.
pub(crate) const CERTIFICATE_LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Networks with something under way that are known before those with nothing are forgotten.
pub(crate) const PEERS_KNOWN_MIN: usize = 1024;

/// Requests of HTTP/1 of one peer that may be refused, or left alone, in a second and at once,
/// before its connections are read more slowly. An answer from a component costs the client a
/// wait; these do not, and four connections that never wait kept both processors of a small machine
/// busy.
pub(crate) const REFUSED: (u64, u64) = (500, 1000);

/// Log lines that one peer's refused requests get, in a second and at once. They cost their client
/// next to nothing: without a limit one connection had 100 MB written in six seconds. At this rate
/// it is 0.3 GB a day.
pub(crate) const REFUSED_LINES: (u64, u64) = (20, 1000);

/// How often it is said of a peer how many lines were left out.
pub(crate) const LEFT_OUT_EVERY: Duration = Duration::from_secs(10);

/// Bytes read of a connection until others have a turn: about what hundreds of requests for
/// nothing take, or some milliseconds.
pub(crate) const READ_TURN_BYTES: usize = 64 * 1024;

/// Bytes of HTTP/2 frames that carry nothing of a request, from one peer, in a second and at once:
/// 20,000 window updates, of which a client sends two for each few kilobytes of a download. Those
/// it has by [`OVERHEAD_OF_SENT`].
pub(crate) const OVERHEAD_BYTES: (u64, u64) = (256 * 1024, 1024 * 1024);

/// One byte of such frames is free for so many that were sent to the client: the busiest clients
/// send 26 bytes for each 4,096.
pub(crate) const OVERHEAD_OF_SENT: usize = 64;

/// Hops of a chain of proxies that are looked at; there are rarely more than three.
pub(crate) const HOPS_MAX: usize = 16;

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 64 * 1024,
            head_time_max: Duration::from_secs(10),
            idle_time_max: Duration::from_secs(75),
            ping: Ping { interval: Duration::from_secs(30), time_max: Duration::from_secs(20) },
            body_bytes_max: 10 * 1024 * 1024,
            body_gap_max: Duration::from_secs(10),
            body_begin_time_max: Duration::from_secs(20),
            bodies_waiting_max: 1024,
            response_stall_max: Duration::from_secs(30),
            requests_max: 1024,
            connection_part: 8,
            abandoned_max: 16,
            queue_max: 1024,
            queue_time_max: Duration::from_secs(5),
            lasting_max: 256,
            connections_max: 4096,
            spare_connections_max: 64,
            streams_max: 100,
            resets_max: 20,
            drain_linger: Duration::from_millis(100),
            drain_time_max: Duration::from_secs(10),
            peer_share_percent: 25,
        }
    }
}

/// So long after it has come, a connection is taken to have a request, or its body, on the way:
/// some round trips on a bad link.
pub(crate) const NEWCOMER_GRACE: Duration = Duration::from_secs(1);

/// So long after an answer, a client is taken to be about to ask again: a person who reads a page.
pub(crate) const RETURN_GRACE: Duration = Duration::from_secs(5);

impl Limits {
    /// What one peer may have of `whole`: never nothing, unless there is nothing.
    pub(crate) fn share(&self, whole: usize) -> usize {
        share(whole, whole.saturating_mul(self.peer_share_percent) / 100)
    }

    /// Places that one connection may have.
    pub(crate) fn connection_share(&self) -> usize {
        let peers = self.share(self.requests_max);
        share(peers, peers.checked_div(self.connection_part).unwrap_or(peers))
    }

    /// How often a connection's clocks are looked at.
    pub(crate) fn watch_interval(&self) -> Duration {
        let shortest = self.head_time_max.min(self.idle_time_max).min(self.response_stall_max);
        (shortest / WATCH_DIVISOR).max(Duration::from_millis(1))
    }

    /// What hyper may buffer for a head of HTTP/1.
    pub(crate) fn head_buffer_bytes(&self) -> usize {
        self.head_bytes_max.saturating_mul(HEAD_BUFFER_FACTOR).max(HEAD_BUFFER_BYTES_MIN)
    }

    /// What h2 may take of a head.
    pub(crate) fn head_list_bytes(&self) -> u32 {
        let bytes = self.head_bytes_max.saturating_mul(HEAD_BUFFER_FACTOR);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

fn share(whole: usize, part: usize) -> usize {
    part.max(1).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_part_and_never_nothing() {
        let limits = Limits::default();
        assert_eq!((limits.share(1024), limits.share(3), limits.share(0)), (256, 1, 0));
        assert_eq!(limits.connection_share(), 32);
        let all = Limits { peer_share_percent: 100, ..limits };
        assert_eq!(all.share(1024), 1024);
    }

    #[test]
    fn what_follows_from_a_limit_is_of_use_however_small_that_is() {
        let limits = Limits::default();
        assert_eq!(limits.watch_interval(), Duration::from_millis(2500));
        assert_eq!((limits.head_buffer_bytes(), limits.head_list_bytes()), (131_072, 131_072));
        let small = Limits { head_bytes_max: 100, head_time_max: Duration::ZERO, ..limits };
        assert_eq!(small.watch_interval(), Duration::from_millis(1));
        assert_eq!((small.head_buffer_bytes(), small.head_list_bytes()), (8192, 200));
    }
}
