//! Places among the requests at work. A place is held by whoever waits for the work and by whoever
//! does it, and is given back when both are done: a client that leaves does not end what it began.
//! To take one costs three counters; only what has to wait for one takes a lock.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::limits::Limits;
use crate::peers::Peer;
use crate::queue::Queue;

/// There is no place, and none came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// All places of a server.
#[derive(Debug)]
pub(crate) struct Places {
    max: usize,
    peer_max: usize,
    connection_max: usize,
    abandoned_max: usize,
    queue_time_max: Duration,
    taken: AtomicUsize,
    queue: Queue,
}

/// For whom a place is taken.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) connection: Arc<Connection>,
    /// The connection's own peer, or whom it speaks for.
    pub(crate) peer: Arc<Peer>,
}

impl Places {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            max: limits.requests_max,
            peer_max: limits.share(limits.requests_max),
            connection_max: limits.connection_share(),
            abandoned_max: limits.abandoned_max,
            queue_time_max: limits.queue_time_max,
            taken: AtomicUsize::new(0),
            queue: Queue::new(limits.queue_max, limits.share(limits.queue_max)),
        }
    }

    /// Takes a place, or waits for one. Whoever is dropped while waiting does not wait any more.
    pub(crate) async fn take(&self, holder: &Holder) -> Result<Arc<Place>, Full> {
        if self.try_take(holder) {
            return Ok(Place::new(holder.clone()));
        }
        let (give, mut given) = oneshot::channel();
        let waiting = self.queue.join(holder, give);
        // What became free since the look above, or because of it, is nobody's yet.
        self.hand_out();
        let waiting = waiting.ok_or(Full)?;
        let result = tokio::time::timeout(self.queue_time_max, &mut given).await;
        drop(waiting);
        match result {
            Ok(Ok(place)) => Ok(place),
            // One that came at the last moment is as good.
            _ => given.try_recv().map_err(|_| Full),
        }
    }

    /// Counts one more, if all that has to allows it.
    fn try_take(&self, holder: &Holder) -> bool {
        let Holder { connection, peer } = holder;
        // Behind a proxy many clients come by one connection, and each is a peer of its own.
        let connection_max = if connection.is_proxy() { usize::MAX } else { self.connection_max };
        if peer.abandoned.load(SeqCst) >= self.abandoned_max {
            return false;
        }
        let counters = [
            (&self.taken, self.max),
            (&peer.places, self.peer_max),
            (&connection.places, connection_max),
        ];
        for (at, (counter, max)) in counters.iter().enumerate() {
            if counter.fetch_add(1, SeqCst) >= *max {
                counters.iter().take(at + 1).for_each(|(counter, _)| {
                    counter.fetch_sub(1, SeqCst);
                });
                return false;
            }
        }
        true
    }

    /// Gives places to those who wait, as long as there are any for them.
    fn hand_out(&self) {
        if self.queue.is_empty() {
            return;
        }
        // Dropped outside the queue's lock: a place that nobody takes any more comes back here.
        let mut refused = Vec::new();
        self.queue.serve(|holder, give| {
            if !self.try_take(holder) {
                return Err(give);
            }
            refused.extend(give.send(Place::new(holder.clone())).err());
            Ok(())
        });
    }

    fn give_back(&self, holder: &Holder) {
        holder.connection.places.fetch_sub(1, SeqCst);
        holder.peer.places.fetch_sub(1, SeqCst);
        self.taken.fetch_sub(1, SeqCst);
        self.hand_out();
    }
}

/// A place, until the last of those who hold it is done.
#[derive(Debug)]
pub struct Place {
    holder: Holder,
    abandoned: AtomicBool,
    given_back: AtomicBool,
}

impl Place {
    fn new(holder: Holder) -> Arc<Self> {
        let no = || AtomicBool::new(false);
        Arc::new(Self { holder, abandoned: no(), given_back: no() })
    }

    /// The network address against whose share the work counts.
    pub fn network(&self) -> IpAddr {
        self.holder.peer.network.address()
    }

    /// The client has gone, and the work goes on.
    pub(crate) fn abandon(&self) {
        if !self.abandoned.swap(true, SeqCst) {
            self.holder.peer.abandoned.fetch_add(1, SeqCst);
        }
    }

    /// Gives the place back before its end: what goes on is counted elsewhere.
    pub(crate) fn give_back(&self) {
        if self.given_back.swap(true, SeqCst) {
            return;
        }
        if self.abandoned.load(SeqCst) {
            self.holder.peer.abandoned.fetch_sub(1, SeqCst);
        }
        self.holder.connection.house().places.give_back(&self.holder);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::house::House;
    use crate::network::Proxies;

    fn house(requests_max: usize, queue_max: usize) -> Arc<House> {
        let limits = Limits {
            requests_max,
            queue_max,
            peer_share_percent: 50,
            connection_part: 2,
            queue_time_max: Duration::from_secs(3600),
            ..Limits::default()
        };
        House::new(limits, Proxies::default())
    }

    fn connect(house: &Arc<House>, last: u8) -> Holder {
        let from = SocketAddr::from(([10, 0, 0, last], 1));
        let connection = house.peers.enter(house, from).unwrap().0.clone();
        Holder { peer: connection.peer.clone(), connection }
    }

    /// What becomes of one who comes, as far as it is known at once.
    async fn now(house: &House, holder: &Holder) -> Option<Result<Arc<Place>, Full>> {
        let take = house.places.take(holder);
        tokio::select! {
            biased;
            taken = take => Some(taken),
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn a_connection_a_peer_and_all_have_so_many() {
        let house = house(8, 0);
        let [one, two, three] = std::array::from_fn(|_| connect(&house, 1));
        let mut held = Vec::new();
        for (holder, places) in [(&one, 2), (&two, 2), (&three, 0), (&connect(&house, 2), 2)] {
            for _ in 0..places {
                held.push(now(&house, holder).await.unwrap().unwrap());
            }
            assert_eq!(now(&house, holder).await.unwrap().unwrap_err(), Full);
        }
        drop(held);
        assert_eq!(house.places.taken.load(SeqCst), 0);
        now(&house, &three).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_has_little_waiting_is_let_in_before_who_has_much() {
        let house = house(2, 6);
        let (greedy, modest) = (connect(&house, 1), connect(&house, 1));
        let place = now(&house, &greedy).await.unwrap().unwrap();
        let wait = |holder: &Holder| {
            let (house, holder) = (house.clone(), holder.clone());
            tokio::spawn(async move { house.places.take(&holder).await.map(drop) })
        };
        let many: Vec<_> = (0..3).map(|_| wait(&greedy)).collect();
        tokio::task::yield_now().await;
        assert_eq!(now(&house, &greedy).await.unwrap().unwrap_err(), Full, "its share waits");
        let one = wait(&modest);
        tokio::task::yield_now().await;
        drop(place);
        assert_eq!(one.await.unwrap(), Ok(()));
        let mut results = Vec::new();
        for waiting in many {
            results.push(waiting.await.unwrap());
        }
        assert_eq!(results, [Ok(()), Ok(()), Err(Full)]);
    }

    #[tokio::test]
    async fn who_stops_waiting_makes_room_for_another() {
        let house = house(2, 2);
        let holder = connect(&house, 1);
        let _place = now(&house, &holder).await.unwrap().unwrap();
        for _ in 0..3 {
            assert!(now(&house, &holder).await.is_none(), "it waits, and leaves");
            assert!(house.places.queue.is_empty());
        }
    }

    #[tokio::test]
    async fn what_was_given_back_or_left_behind_counts_once() {
        let house = house(4, 0);
        let holder = connect(&house, 1);
        let place = now(&house, &holder).await.unwrap().unwrap();
        for _ in 0..2 {
            place.abandon();
            assert_eq!(holder.peer.abandoned.load(SeqCst), 1);
        }
        place.give_back();
        drop(place);
        assert_eq!(holder.peer.abandoned.load(SeqCst), 0);
        assert_eq!(house.places.taken.load(SeqCst), 0);
        assert_eq!(holder.connection.places.load(SeqCst), 0);
    }
}
