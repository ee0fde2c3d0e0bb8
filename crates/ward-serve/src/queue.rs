//! Who waits for a place: in turn over peers, and for each peer in turn over its connections, so
//! that however many requests one of them has waiting, another's is next but one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::network::Network;
use crate::places::{Holder, Place};

/// Where a place is handed to one who waits.
pub(crate) type Give = oneshot::Sender<Arc<Place>>;

/// A bounded queue.
#[derive(Debug)]
pub(crate) struct Queue {
    max: usize,
    peer_max: usize,
    waiting: AtomicUsize,
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    next: u64,
    /// Whose turn it is comes first.
    peers: VecDeque<(Network, VecDeque<Line>)>,
}

/// Those who wait of one connection. Never empty.
#[derive(Debug)]
struct Line {
    connection: u64,
    waiting: VecDeque<(u64, Holder, Give)>,
}

impl Queue {
    pub(crate) fn new(max: usize, peer_max: usize) -> Self {
        Self { max, peer_max, waiting: AtomicUsize::new(0), turns: Mutex::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(SeqCst) == 0
    }

    /// Joins the queue. Where a peer has its share waiting, one who has less than the longest of
    /// its lines takes the place of the last in that. `None` where there is no room.
    pub(crate) fn join(&self, holder: &Holder, give: Give) -> Option<Waiting<'_>> {
        let (network, connection) = (holder.peer.network, holder.connection.id);
        let mut turns = self.lock();
        let lines = turns.lines(network);
        let own = |line: &&mut Line| line.connection == connection;
        let in_line = lines.iter_mut().find(own).map_or(0, |line| line.waiting.len());
        let waiting: usize = lines.iter().map(|line| line.waiting.len()).sum();
        let mut sent_away = None;
        if waiting >= self.peer_max {
            let longest = lines.iter_mut().max_by_key(|line| line.waiting.len());
            let longest = longest.filter(|line| line.waiting.len() > in_line + 1);
            sent_away = longest.and_then(|line| line.waiting.pop_back());
        }
        let is_full = waiting >= self.peer_max || self.waiting.load(SeqCst) >= self.max;
        if is_full && sent_away.is_none() {
            turns.forget_empty();
            return None;
        }
        let id = turns.next;
        turns.next = turns.next.wrapping_add(1);
        let lines = turns.lines(network);
        if !lines.iter().any(|line| line.connection == connection) {
            lines.push_back(Line { connection, waiting: VecDeque::new() });
        }
        if let Some(line) = lines.iter_mut().find(|line| line.connection == connection) {
            line.waiting.push_back((id, holder.clone(), give));
        }
        if sent_away.is_none() {
            self.waiting.fetch_add(1, SeqCst);
        }
        drop(turns);
        Some(Waiting { queue: self, network, connection, id })
    }

    /// Offers to each in turn, until nobody takes any more. `offer` gives back what it does not
    /// use: that one cannot have a place yet.
    pub(crate) fn serve(&self, mut offer: impl FnMut(&Holder, Give) -> Result<(), Give>) {
        let mut turns = self.lock();
        while turns.serve_one(&mut offer) {
            self.waiting.fetch_sub(1, SeqCst);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        // Lists that are whole whatever became of who had them.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    /// The lines of a network, which has one from now on.
    fn lines(&mut self, network: Network) -> &mut VecDeque<Line> {
        let at = self.peers.iter().position(|(known, _)| *known == network);
        let at = at.unwrap_or_else(|| {
            self.peers.push_back((network, VecDeque::new()));
            self.peers.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "the position of what was found or put there")]
        &mut self.peers[at].1
    }

    fn serve_one(&mut self, offer: &mut impl FnMut(&Holder, Give) -> Result<(), Give>) -> bool {
        for _ in 0..self.peers.len() {
            let Some((network, mut lines)) = self.peers.pop_front() else { break };
            let served = serve_lines(&mut lines, offer);
            if !lines.is_empty() {
                self.peers.push_back((network, lines));
            }
            if served {
                return true;
            }
        }
        false
    }

    fn remove(&mut self, network: Network, connection: u64, id: u64) -> bool {
        let Some((_, lines)) = self.peers.iter_mut().find(|(known, _)| *known == network) else {
            return false;
        };
        let Some(line) = lines.iter_mut().find(|line| line.connection == connection) else {
            return false;
        };
        let before = line.waiting.len();
        line.waiting.retain(|(waiting, _, _)| *waiting != id);
        let removed = line.waiting.len() < before;
        self.forget_empty();
        removed
    }

    fn forget_empty(&mut self) {
        for (_, lines) in &mut self.peers {
            lines.retain(|line| !line.waiting.is_empty());
        }
        self.peers.retain(|(_, lines)| !lines.is_empty());
    }
}

fn serve_lines(
    lines: &mut VecDeque<Line>,
    offer: &mut impl FnMut(&Holder, Give) -> Result<(), Give>,
) -> bool {
    for _ in 0..lines.len() {
        let Some(mut line) = lines.pop_front() else { break };
        let mut served = true;
        if let Some((id, holder, give)) = line.waiting.pop_front()
            && let Err(give) = offer(&holder, give)
        {
            line.waiting.push_front((id, holder, give));
            served = false;
        }
        if !line.waiting.is_empty() {
            lines.push_back(line);
        }
        if served {
            return true;
        }
    }
    false
}

/// One who waits, until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    queue: &'a Queue,
    network: Network,
    connection: u64,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.queue.lock().remove(self.network, self.connection, self.id) {
            self.queue.waiting.fetch_sub(1, SeqCst);
        }
    }
}
