//! Seats for what only waits and costs nothing but room: bodies that have not come, answers that
//! last. Nobody is refused a seat because others sit: whoever comes takes that of the oldest of
//! whoever has most. So one who takes seat after seat only drives himself out.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::network::Network;

/// So many seats, and so many of them for one network.
#[derive(Debug)]
pub(crate) struct Seats {
    max: usize,
    peer_max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    taken: usize,
    next: u64,
    peers: HashMap<Network, Sitting>,
}

/// Those of one network.
#[derive(Debug, Default)]
struct Sitting {
    taken: usize,
    /// By whom they are told apart within it; the oldest is first.
    groups: HashMap<u64, VecDeque<(u64, oneshot::Sender<()>)>>,
}

impl Seats {
    /// `max` seats, `peer_max` for one network.
    pub(crate) fn new(max: usize, peer_max: usize) -> Arc<Self> {
        Arc::new(Self { max, peer_max, table: Mutex::default() })
    }

    /// Takes a seat for one of `group` within `network`: `None` where it could only be had from the
    /// group itself, or from those who have less.
    pub(crate) fn take(self: &Arc<Self>, network: Network, group: u64) -> Option<(Seat, Lost)> {
        let mut table = self.lock();
        let own = table.peers.get(&network);
        let taken = own.map_or(0, |own| own.taken);
        let in_group = own.and_then(|own| own.groups.get(&group)).map_or(0, VecDeque::len);
        if taken >= self.peer_max {
            table.oust(network, in_group)?;
        } else if table.taken >= self.max {
            let most = table.peers.iter().max_by_key(|(_, sitting)| sitting.taken);
            let (most, _) = most.filter(|(_, sitting)| sitting.taken > taken)?;
            let most = *most;
            table.oust(most, 0)?;
        }
        let id = table.next;
        table.next = table.next.wrapping_add(1);
        table.taken += 1;
        let (keep, lost) = oneshot::channel();
        let sitting = table.peers.entry(network).or_default();
        sitting.taken += 1;
        sitting.groups.entry(group).or_default().push_back((id, keep));
        drop(table);
        Some((Seat { seats: self.clone(), network, group, id }, Lost(lost)))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Every change is whole before anything that could panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Has the oldest of a network's largest group give up its seat, if that group has more than
    /// `least`.
    fn oust(&mut self, network: Network, least: usize) -> Option<()> {
        let sitting = self.peers.get(&network)?;
        let oldest = |seats: &VecDeque<(u64, _)>| seats.front().map_or(u64::MAX, |(id, _)| *id);
        let size = |seats: &VecDeque<(u64, _)>| (seats.len(), u64::MAX - oldest(seats));
        let (group, seats) = sitting.groups.iter().max_by_key(|(_, seats)| size(seats))?;
        if seats.len() <= least {
            return None;
        }
        let (group, id) = (*group, oldest(seats));
        self.remove(network, group, id);
        Some(())
    }

    /// What was removed is dropped, which whoever sat there is told by.
    fn remove(&mut self, network: Network, group: u64, id: u64) {
        let Some(sitting) = self.peers.get_mut(&network) else { return };
        let Some(seats) = sitting.groups.get_mut(&group) else { return };
        let Some(at) = seats.iter().position(|(seat, _)| *seat == id) else { return };
        seats.remove(at);
        if seats.is_empty() {
            sitting.groups.remove(&group);
        }
        sitting.taken -= 1;
        if sitting.taken == 0 {
            self.peers.remove(&network);
        }
        self.taken -= 1;
    }
}

/// A seat, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    network: Network,
    group: u64,
    id: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().remove(self.network, self.group, self.id);
    }
}

/// Completes when the seat was given to another.
#[derive(Debug)]
pub struct Lost(oneshot::Receiver<()>);

impl Future for Lost {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Network {
        Network::of([10, 0, 0, last].into())
    }

    fn is_lost(lost: &mut Lost) -> bool {
        lost.0.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn at_its_share_a_network_gives_up_the_oldest_of_who_has_most() {
        let seats = Seats::new(100, 4);
        let mut many: Vec<_> = (0..3).map(|_| seats.take(network(1), 7).unwrap()).collect();
        let mut one = seats.take(network(1), 8).unwrap();
        let mut newcomer = seats.take(network(1), 9).unwrap();
        let lost: Vec<_> = many.iter_mut().map(|(_, lost)| is_lost(lost)).collect();
        assert_eq!(lost, [true, false, false]);
        assert!(!is_lost(&mut one.1) && !is_lost(&mut newcomer.1));
        assert!(seats.take(network(1), 7).is_none(), "who has most has nobody to drive out");
        assert!(seats.take(network(2), 7).is_some(), "others have their own");
    }

    #[test]
    fn where_all_have_one_the_oldest_goes() {
        let seats = Seats::new(100, 2);
        let mut first = seats.take(network(1), 1).unwrap();
        let mut second = seats.take(network(1), 2).unwrap();
        let _third = seats.take(network(1), 3).unwrap();
        assert!(is_lost(&mut first.1) && !is_lost(&mut second.1));
    }

    #[test]
    fn when_all_are_taken_the_network_with_most_gives_one_up() {
        let seats = Seats::new(3, 2);
        let mut two: Vec<_> = (0..2).map(|group| seats.take(network(1), group).unwrap()).collect();
        let mut one = seats.take(network(2), 0).unwrap();
        let _newcomer = seats.take(network(3), 0).unwrap();
        assert!(is_lost(&mut two[0].1) && !is_lost(&mut two[1].1) && !is_lost(&mut one.1));
        assert!(seats.take(network(1), 5).is_none(), "all have as much as it has");
    }

    #[test]
    fn a_seat_that_is_left_is_free() {
        let seats = Seats::new(1, 1);
        drop(seats.take(network(1), 1).unwrap());
        assert_eq!(seats.lock().taken, 0);
        assert!(seats.lock().peers.is_empty());
        let (seat, mut lost) = seats.take(network(1), 1).unwrap();
        assert!(!is_lost(&mut lost));
        let other = seats.take(network(1), 2).unwrap();
        drop(seat);
        assert_eq!(seats.lock().taken, 1, "what was lost is not given back again");
        drop(other);
        assert_eq!(seats.lock().taken, 0);
    }
}
