//! The peers that have something under way, and their connections: who is let in, and who has to
//! go for that. Locks are taken when a connection comes or goes, not for a request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::allowance::Allowance;
use crate::connection::{Connection, Kind};
use crate::house::House;
use crate::limits::{LEFT_OUT_EVERY, OVERHEAD_BYTES, PEERS_KNOWN_MIN, REFUSED, REFUSED_LINES};
use crate::network::Network;

/// One peer, for as long as it has something under way.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) network: Network,
    /// Places among the requests at work.
    pub(crate) places: AtomicUsize,
    /// Of those, the ones whose client has gone.
    pub(crate) abandoned: AtomicUsize,
    /// Its connections that count: all but spare ones and those that have to go.
    connections: AtomicUsize,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    /// Bytes of frames that carry nothing of a request.
    pub(crate) overhead: Allowance,
    /// Requests that were refused.
    pub(crate) refused: Allowance,
    refused_lines: Allowance,
    /// Lines that it did not get since that was said.
    left_out: AtomicU64,
    reports: Allowance,
}

impl Peer {
    fn of(network: Network) -> Self {
        let allowance = |(per_second, at_once)| Allowance::new(per_second, at_once);
        Self {
            network,
            places: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            overhead: allowance(OVERHEAD_BYTES),
            refused: allowance(REFUSED),
            refused_lines: allowance(REFUSED_LINES),
            left_out: AtomicU64::new(0),
            reports: Allowance::every(LEFT_OUT_EVERY),
        }
    }

    /// Whether there is a line in the log for a request that was refused. That some had none is
    /// said now and then, with how many they were, and in the end.
    pub(crate) fn has_line(&self) -> bool {
        let has_line = self.refused_lines.try_spend();
        if !has_line {
            self.left_out.fetch_add(1, Relaxed);
        }
        if self.left_out.load(Relaxed) > 0 && self.reports.try_spend() {
            self.report();
        }
        has_line
    }

    fn report(&self) {
        let left_out = self.left_out.swap(0, Relaxed);
        if left_out > 0 {
            tracing::warn!(
                left_out,
                "refused requests of one address are too many for a line each"
            );
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.report();
    }
}

/// All peers of a server.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    known: Mutex<Known>,
    connections: AtomicUsize,
    spare: AtomicUsize,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    peers: HashMap<Network, Arc<Peer>>,
    /// How many there are when those with nothing under way are forgotten.
    forget_at: usize,
}

impl Peers {
    /// The peer of a network.
    pub(crate) fn get(&self, network: Network) -> Arc<Peer> {
        let mut known = lock(&self.known);
        if let Some(peer) = known.peers.get(&network) {
            return peer.clone();
        }
        if known.peers.len() >= known.forget_at {
            known.peers.retain(|_, peer| Arc::strong_count(peer) > 1);
            known.forget_at = known.peers.len().saturating_mul(2).max(PEERS_KNOWN_MIN);
        }
        let peer = Arc::new(Peer::of(network));
        known.peers.insert(network, peer.clone());
        peer
    }

    /// Lets a connection in. Where its peer has its share, or all are taken, one that is idle goes
    /// for it; where there is none, it is let in for questions after health only. `None` where
    /// there are enough of those, too.
    pub(crate) fn enter(&self, house: &Arc<House>, from: SocketAddr) -> Option<Entered> {
        let limits = &house.limits;
        let peer = self.get(Network::of(from.ip()));
        let is_proxy = house.proxies.trust(from.ip());
        let share = if is_proxy { usize::MAX } else { limits.share(limits.connections_max) };
        let kind = if peer.connections.load(Relaxed) >= share {
            self.oust(&peer)
        } else if self.connections.load(Relaxed) >= limits.connections_max {
            self.largest(&peer).and_then(|largest| self.oust(&largest))
        } else {
            Some(Kind::Usual)
        };
        let kind = match kind {
            Some(kind) => kind,
            None if self.spare.load(Relaxed) < limits.spare_connections_max => Kind::Spare,
            None => return None,
        };
        self.count(kind).fetch_add(1, Relaxed);
        if kind == Kind::Usual {
            peer.connections.fetch_add(1, Relaxed);
        }
        let id = self.next.fetch_add(1, Relaxed);
        let connection = Arc::new(Connection::new(house.clone(), peer, from, id, kind, is_proxy));
        lock(&connection.peer.open).insert(id, connection.clone());
        // Whoever is slowed down gains nothing by coming anew.
        let Peer { overhead, refused, .. } = &*connection.peer;
        connection.slow_down(overhead.spend(0).max(refused.spend(0)));
        Some(Entered(connection))
    }

    fn count(&self, kind: Kind) -> &AtomicUsize {
        match kind {
            Kind::Usual => &self.connections,
            Kind::Spare => &self.spare,
        }
    }

    /// The peer with most connections, if it has more than `newcomer` would have.
    fn largest(&self, newcomer: &Peer) -> Option<Arc<Peer>> {
        let known = lock(&self.known);
        let count = |peer: &Arc<Peer>| peer.connections.load(Relaxed);
        let largest = known.peers.values().max_by_key(|peer| count(peer))?;
        (count(largest) > newcomer.connections.load(Relaxed)).then(|| largest.clone())
    }

    /// Closes the connection of `peer` that can be done without best, and says what it was.
    fn oust(&self, peer: &Peer) -> Option<Kind> {
        let open = lock(&peer.open);
        let idle = open.values().filter_map(|one| Some((one.idleness()?, one)));
        let (_, victim) = idle.min_by_key(|(idleness, _)| *idleness)?;
        let victim = victim.clone();
        drop(open);
        victim.oust();
        self.leave(&victim);
        Some(victim.kind)
    }

    /// A connection does not count any more.
    fn leave(&self, connection: &Connection) {
        let peer = &connection.peer;
        if lock(&peer.open).remove(&connection.id).is_none() {
            return;
        }
        self.count(connection.kind).fetch_sub(1, Relaxed);
        if connection.kind == Kind::Usual {
            peer.connections.fetch_sub(1, Relaxed);
        }
    }
}

/// A connection that was let in; it counts until this is dropped, or it has to go for another.
#[derive(Debug)]
pub(crate) struct Entered(pub(crate) Arc<Connection>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.house().peers.leave(&self.0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Maps that are whole whatever became of who had them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn of_many_peers_only_those_with_nothing_under_way_are_forgotten() {
        let peers = Peers::default();
        let get = |number: usize| {
            let address = Ipv4Addr::from_bits(number.try_into().unwrap());
            peers.get(Network::of(address.into()))
        };
        let busy = get(0);
        (1..PEERS_KNOWN_MIN).for_each(|number| drop(get(number)));
        assert_eq!(lock(&peers.known).peers.len(), PEERS_KNOWN_MIN);
        get(PEERS_KNOWN_MIN);
        assert_eq!(lock(&peers.known).peers.len(), 2, "the busy one, and the last to come");
        assert!(Arc::ptr_eq(&busy, &get(0)));
    }

    #[test]
    fn refused_requests_have_so_many_lines() {
        let peer = Peer::of(Network::of(Ipv4Addr::LOCALHOST.into()));
        let lines = (0..3 * REFUSED_LINES.1).filter(|_| peer.has_line()).count() as u64;
        assert!((REFUSED_LINES.1..2 * REFUSED_LINES.1).contains(&lines), "{lines}");
        let said = 1;
        assert_eq!(lines + said + peer.left_out.load(Relaxed), 3 * REFUSED_LINES.1);
    }
}
