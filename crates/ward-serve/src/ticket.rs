//! One request's presence: it counts against the limits while its ticket lives, and the ticket has
//! the log line written when it goes, with the answer's last byte or the client's departure.

use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Version};

use crate::clocks::StreamClock;
use crate::connection::Connection;
use crate::peers::Peer;
use crate::places::{Full, Holder, Place};
use crate::seats::{Lost, Seat};

/// What the log is told of a request. Nothing in it is what a client sent: patterns, names of the
/// application's own, codes.
pub trait Line: Send + Unpin + 'static {
    /// Writes the line. `whole` is whether the answer was handed over to its end.
    fn log(&self, duration_us: u64, whole: bool);

    /// Whether the request was refused or failed, which may have cost its client nothing.
    fn is_refused(&self) -> bool;

    /// Counts the request, whether a line is written or not.
    fn count(&self, _took: Duration) {}

    /// The answer's trailers are on their way.
    fn trailers(&mut self, _trailers: &HeaderMap) {}

    /// The answer broke off.
    fn broke_off(&self, _error: &(dyn Error + 'static)) {}
}

/// A request in flight.
#[derive(Debug)]
pub struct Ticket<L: Line> {
    connection: Arc<Connection>,
    peer: Arc<Peer>,
    /// What the log is told.
    pub line: L,
    is_http2: bool,
    started: Instant,
    /// Whether it counts among those that a drain waits for.
    counts: bool,
    works: bool,
    place: Option<Arc<Place>>,
    seat: Option<Seat>,
    clock: Option<StreamClock>,
    whole: bool,
}

impl<L: Line> Ticket<L> {
    /// A request begins, with this head. One that does not count is not waited for when the server
    /// stops.
    pub fn begin(connection: &Arc<Connection>, head: &Parts, line: L, counts: bool) -> Self {
        connection.clocks.begin();
        if counts {
            connection.house().requests.fetch_add(1, Relaxed);
        }
        Self {
            connection: connection.clone(),
            peer: connection.peer_of(&head.headers),
            is_http2: head.version == Version::HTTP_2,
            line,
            started: Instant::now(),
            counts,
            works: false,
            place: None,
            seat: None,
            clock: None,
            whole: false,
        }
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Whether it came as a stream of HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// By which connection it came.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Takes a place among the requests at work, or waits for one. What is returned is held by
    /// whoever does the work, until it is done.
    ///
    /// # Errors
    /// There is none, and there was none for as long as one waits.
    pub async fn admit(&mut self) -> Result<Arc<Place>, Full> {
        self.work();
        let holder = Holder { connection: self.connection.clone(), peer: self.peer.clone() };
        let place = self.connection.house().places.take(&holder).await?;
        self.place = Some(place.clone());
        Ok(place)
    }

    /// Takes a seat among the answers that last, which are told apart within a peer by `group`; the
    /// place among those at work, if there is one, is given back. `None` where there is no seat.
    /// The answer has to end when what is returned completes.
    pub fn last(&mut self, group: Option<&HeaderValue>) -> Option<Lost> {
        self.work();
        let lasting = &self.connection.house().lasting;
        let (seat, lost) = lasting.take(self.peer.network, self.group(group))?;
        self.seat = Some(seat);
        if let Some(place) = self.place.take() {
            place.give_back();
        }
        Some(lost)
    }

    /// Takes a seat among the bodies that are waited for.
    pub(crate) fn await_body(&self) -> Option<(Seat, Lost)> {
        self.connection.house().bodies.take(self.peer.network, self.connection.id)
    }

    /// Whoever has the same credential is one, by however many connections; without one whoever has
    /// the same connection is.
    fn group(&self, credential: Option<&HeaderValue>) -> u64 {
        let Some(credential) = credential else { return self.connection.id };
        let mut hasher = DefaultHasher::new();
        credential.as_bytes().hash(&mut hasher);
        hasher.finish()
    }

    /// From here on its connection is not one that could be done without.
    fn work(&mut self) {
        if !self.works {
            self.works = true;
            self.connection.clocks.begin_work();
        }
    }

    /// The answer has to be over within `longest`; watched where the connection does not show it.
    pub fn watch(&mut self, longest: Duration) {
        if self.is_http2 {
            self.clock = Some(self.connection.clocks.begin_stream(longest));
        }
    }

    /// The answer has been handed over whole.
    pub fn finished(&mut self) {
        self.whole = true;
    }
}

impl<L: Line> Drop for Ticket<L> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take()
            && !self.whole
            && Arc::strong_count(&place) > 1
        {
            place.abandon();
        }
        if let Some(clock) = self.clock.take() {
            self.connection.clocks.end_stream(clock);
        }
        if self.counts {
            self.connection.house().requests.fetch_sub(1, Relaxed);
        }
        let is_refused = self.line.is_refused();
        self.connection.clocks.end(self.works, is_refused);
        let took = self.started.elapsed();
        self.line.count(took);
        // A proxy's connection is other clients', too; and what waits on one of HTTP/2 would come
        // all at once, which keeps others waiting for longer than its streams, one by one, do.
        if is_refused && !self.is_http2 && !self.connection.is_proxy() {
            self.connection.slow_down(self.peer.refused.spend(1));
        }
        if tracing::enabled!(tracing::Level::INFO) && (!is_refused || self.peer.has_line()) {
            self.line.log(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), self.whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::Request;

    use super::*;
    use crate::house::House;
    use crate::limits::{Limits, REFUSED};
    use crate::network::Proxies;

    struct Refused(bool);

    impl Line for Refused {
        fn is_refused(&self) -> bool {
            self.0
        }

        fn log(&self, _duration_us: u64, _whole: bool) {}
    }

    #[test]
    fn whose_requests_are_refused_again_and_again_is_read_more_slowly() {
        let house = House::new(Limits::default(), Proxies::default());
        let from = SocketAddr::from(([10, 0, 0, 1], 1));
        let entered = [(); 2].map(|()| house.peers.enter(&house, from).unwrap());
        let [refused, other] = &entered.each_ref().map(|entered| entered.0.clone());
        let (parts, ()) = Request::new(()).into_parts();
        for _ in 0..2 * REFUSED.1 {
            drop(Ticket::begin(refused, &parts, Refused(true), true));
            drop(Ticket::begin(other, &parts, Refused(false), true));
        }
        assert!(refused.take_pause().is_some());
        assert!(refused.take_pause().is_none(), "that is said once");
        assert!(other.take_pause().is_none(), "whose requests are answered is not");
        let anew = house.peers.enter(&house, from).unwrap();
        assert!(anew.0.take_pause().is_some(), "coming anew is of no use");
    }

    #[test]
    fn a_proxy_is_not_slowed_down_for_one_of_its_clients() {
        let from = SocketAddr::from(([10, 0, 0, 1], 1));
        let proxies = Proxies::new(vec!["10.0.0.1/32".parse().unwrap()]);
        let house = House::new(Limits::default(), proxies);
        let entered = house.peers.enter(&house, from).unwrap();
        let (parts, ()) = Request::new(()).into_parts();
        for _ in 0..2 * REFUSED.1 {
            drop(Ticket::begin(&entered.0, &parts, Refused(true), true));
        }
        assert!(entered.0.take_pause().is_none());
    }
}
