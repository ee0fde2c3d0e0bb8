//! A queue that goes round over peers: the next one is of the peer whose turn it is, however many
//! another has waiting. It holds what waits and nothing more: it has no lock and wakes nobody, and
//! which peer comes before another, whoever asks for the next one knows.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// For whom one waits: a network address, or nobody, whose work comes from no client.
pub(crate) type Peer = Option<IpAddr>;

/// Those who wait, each peer's in their order.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    waiting: HashMap<Peer, VecDeque<T>>,
    /// The peers who wait, each once, the next first.
    order: VecDeque<Peer>,
    len: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new(), len: 0 }
    }
}

impl<T> Turns<T> {
    /// Joins the queue of `peer`.
    pub(crate) fn join(&mut self, peer: Peer, one: T) {
        let queue = self.waiting.entry(peer).or_default();
        if queue.is_empty() {
            self.order.push_back(peer);
        }
        queue.push_back(one);
        self.len += 1;
    }

    /// Takes out the next one: of the peers who may have a turn, it is one's with the lowest rank,
    /// and among those the one's who waits for it longest. Without a rank a peer may have none.
    pub(crate) fn next(&mut self, rank: impl Fn(Peer) -> Option<u32>) -> Option<(Peer, T)> {
        let ranked =
            self.order.iter().enumerate().filter_map(|(at, peer)| Some((rank(*peer)?, at)));
        let (_, at) = ranked.min()?;
        let peer = self.order.remove(at)?;
        let queue = self.waiting.get_mut(&peer)?;
        let next = queue.pop_front()?;
        if queue.is_empty() {
            self.waiting.remove(&peer);
        } else {
            self.order.push_back(peer);
        }
        self.len = self.len.saturating_sub(1);
        Some((peer, next))
    }

    /// The peers who wait.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer> {
        self.order.iter().copied()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many of a peer wait.
    pub(crate) fn len_of(&self, peer: Peer) -> usize {
        self.waiting.get(&peer).map_or(0, VecDeque::len)
    }

    /// Takes those out that are not to `stay`.
    pub(crate) fn retain(&mut self, stay: impl Fn(&T) -> bool) {
        self.waiting.values_mut().for_each(|queue| queue.retain(&stay));
        self.waiting.retain(|_, queue| !queue.is_empty());
        let waiting = &self.waiting;
        self.order.retain(|peer| waiting.contains_key(peer));
        self.len = waiting.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Peer {
        Some(IpAddr::from([127, 0, 0, last]))
    }

    /// Peer 1 with one, two and three waiting, then peer 2 with four, then nobody's five.
    fn turns() -> Turns<u8> {
        let mut turns = Turns::default();
        for (by, one) in [(peer(1), 1), (peer(1), 2), (peer(1), 3), (peer(2), 4), (None, 5)] {
            turns.join(by, one);
        }
        turns
    }

    fn all(turns: &mut Turns<u8>, rank: impl Fn(Peer) -> Option<u32>) -> Vec<u8> {
        std::iter::from_fn(|| Some(turns.next(&rank)?.1)).collect()
    }

    #[test]
    fn turns_go_round_over_peers() {
        let mut turns = turns();
        assert_eq!((turns.len(), turns.len_of(peer(1)), turns.len_of(None)), (5, 3, 1));
        assert_eq!(all(&mut turns, |_| Some(7)), [1, 4, 5, 2, 3]);
        assert_eq!((turns.len(), turns.len_of(peer(1))), (0, 0));
    }

    #[test]
    fn who_may_not_is_passed_over_and_stays() {
        let mut turns = turns();
        assert_eq!(all(&mut turns, |by| (by != peer(1)).then_some(0)), [4, 5]);
        assert_eq!(turns.len(), 3);
        assert_eq!(all(&mut turns, |_| Some(0)), [1, 2, 3]);
    }

    #[test]
    fn a_lower_rank_comes_first() {
        assert_eq!(all(&mut turns(), |by| Some(u32::from(by.is_some()))), [5, 1, 4, 2, 3]);
    }

    #[test]
    fn who_is_taken_out_leaves_nothing_behind() {
        let mut turns = turns();
        turns.retain(|one| *one == 3);
        assert_eq!((turns.len(), turns.len_of(peer(1)), turns.len_of(peer(2))), (1, 1, 0));
        assert_eq!(all(&mut turns, |_| Some(0)), [3]);
        assert!(turns.waiting.is_empty() && turns.order.is_empty());
    }
}
