//! Who computes next. A guest that has computed until the clock ticks hands its thread back, and
//! goes on when it is given a time slice. There are fewer slices at once than processors, so that
//! who needs less than a tick does not wait behind those who compute long; and slices go round over
//! peers, so that one with a hundred computations gets no more than another with one.
//!
//! A slice is not given back by who waits for the outside before it is over: nobody tells. It ends
//! by the clock then.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use tokio::sync::oneshot;
use wasmtime::UpdateDeadline;

/// For whom one computes: a network address, or nobody, whose work comes from no client.
pub(crate) type Peer = Option<IpAddr>;

/// Ticks until a slice is another's. Whoever has it hands it on at the next tick; one that is still
/// there at the second waits for something else.
const SLICE_TICKS: u64 = 2;

/// The slices there are, and who waits for one.
#[derive(Debug)]
pub(crate) struct Scheduler {
    at_once: usize,
    computations: AtomicU64,
    slices: Mutex<Slices>,
}

#[derive(Debug, Default)]
struct Slices {
    ticks: u64,
    given: Vec<Slice>,
    waiting: HashMap<Peer, VecDeque<Waiting>>,
    /// The peers who wait, each once, the next first.
    order: VecDeque<Peer>,
}

#[derive(Debug)]
struct Slice {
    computation: u64,
    until: u64,
}

#[derive(Debug)]
struct Waiting {
    computation: u64,
    give: oneshot::Sender<()>,
}

impl Scheduler {
    /// One processor is left to those who need little, if there are two.
    pub(crate) fn new() -> Arc<Self> {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self::of(processors.saturating_sub(1).max(1))
    }

    fn of(at_once: usize) -> Arc<Self> {
        Arc::new(Self { at_once, computations: AtomicU64::new(0), slices: Mutex::default() })
    }

    /// What an instance asks by.
    pub(crate) fn computation(self: &Arc<Self>) -> Computation {
        let id = self.computations.fetch_add(1, Ordering::Relaxed);
        Computation { scheduler: self.clone(), id }
    }

    /// The clock ticks: slices that are over go to others.
    pub(crate) fn tick(&self) {
        let mut slices = self.lock();
        slices.ticks += 1;
        let now = slices.ticks;
        slices.given.retain(|slice| slice.until > now);
        slices.hand_out(self.at_once);
    }

    fn lock(&self) -> MutexGuard<'_, Slices> {
        // Whole at every moment, whatever became of who had it.
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slices {
    fn join(&mut self, peer: Peer, waiting: Waiting) {
        let queue = self.waiting.entry(peer).or_default();
        if queue.is_empty() {
            self.order.push_back(peer);
        }
        queue.push_back(waiting);
    }

    fn hand_out(&mut self, at_once: usize) {
        while self.given.len() < at_once
            && let Some(peer) = self.order.pop_front()
        {
            let mut queue = self.waiting.remove(&peer).unwrap_or_default();
            let mut taken = None;
            while taken.is_none()
                && let Some(one) = queue.pop_front()
            {
                // One that has ended meanwhile takes none.
                taken = one.give.send(()).is_ok().then_some(one.computation);
            }
            let until = self.ticks + SLICE_TICKS;
            self.given.extend(taken.map(|computation| Slice { computation, until }));
            if !queue.is_empty() {
                self.waiting.insert(peer, queue);
                self.order.push_back(peer);
            }
        }
    }

    fn waiting(&self, peer: Peer) -> usize {
        self.waiting.get(&peer).map_or(0, VecDeque::len)
    }
}

/// One instance's way to its slices.
#[derive(Debug)]
pub(crate) struct Computation {
    scheduler: Arc<Scheduler>,
    id: u64,
}

impl Computation {
    /// The clock has ticked while the instance computed, for one of `peers`: whichever has least
    /// waiting. Its slice, if it had one, is over; what it does next is what it is to do.
    pub(crate) fn pause(&self, peers: impl Iterator<Item = Peer>) -> UpdateDeadline {
        match self.ask(peers) {
            Some(given) => UpdateDeadline::YieldCustom(
                1,
                Box::pin(async {
                    // A scheduler that is gone lets everybody go on.
                    given.await.unwrap_or_default();
                }),
            ),
            None => UpdateDeadline::Yield(1),
        }
    }

    /// Asks for a slice. `None`: there was one.
    fn ask(&self, peers: impl Iterator<Item = Peer>) -> Option<oneshot::Receiver<()>> {
        let (give, mut given) = oneshot::channel();
        let mut slices = self.scheduler.lock();
        slices.given.retain(|slice| slice.computation != self.id);
        let peer = peers.min_by_key(|peer| slices.waiting(*peer)).flatten();
        slices.join(peer, Waiting { computation: self.id, give });
        slices.hand_out(self.scheduler.at_once);
        drop(slices);
        given.try_recv().is_err().then_some(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Peer {
        Some(IpAddr::from([127, 0, 0, last]))
    }

    fn asks(computation: &Computation, by: Peer) -> Option<oneshot::Receiver<()>> {
        computation.ask(std::iter::once(by))
    }

    fn has(waiting: &mut Option<oneshot::Receiver<()>>) -> bool {
        waiting.as_mut().unwrap().try_recv().is_ok()
    }

    #[test]
    fn slices_go_round_over_peers_and_not_over_computations() {
        let scheduler = Scheduler::of(1);
        let many: Vec<_> = (0..4).map(|_| scheduler.computation()).collect();
        let one = scheduler.computation();
        let mut of_many: Vec<_> = many.iter().map(|many| asks(many, peer(2))).collect();
        assert!(of_many[0].is_none(), "the first has one at once");
        let mut of_one = asks(&one, peer(1));
        // The first comes to the end of its slice, and asks again.
        let mut again = asks(&many[0], peer(2));
        assert!(has(&mut of_many[1]) && !has(&mut of_one), "who waits longer comes first");
        let _ = asks(&many[1], peer(2));
        assert!(has(&mut of_one), "then the other peer, before the others of the first");
        let _ = asks(&one, peer(1));
        assert!(has(&mut of_many[2]) && !has(&mut again));
    }

    #[test]
    fn a_slice_that_nobody_hands_on_ends_by_the_clock() {
        let scheduler = Scheduler::of(1);
        let [silent, other] = std::array::from_fn(|_| scheduler.computation());
        assert!(asks(&silent, peer(1)).is_none());
        let mut waiting = asks(&other, peer(2));
        scheduler.tick();
        assert!(!has(&mut waiting));
        scheduler.tick();
        assert!(has(&mut waiting));
    }

    #[test]
    fn who_has_ended_takes_no_slice_and_leaves_nothing_behind() {
        let scheduler = Scheduler::of(1);
        let [first, gone, last] = std::array::from_fn(|_| scheduler.computation());
        assert!(asks(&first, None).is_none());
        drop(asks(&gone, peer(1)));
        let mut waiting = asks(&last, peer(2));
        assert!(asks(&first, None).is_some());
        assert!(has(&mut waiting));
        scheduler.tick();
        scheduler.tick();
        scheduler.tick();
        scheduler.tick();
        let slices = scheduler.lock();
        assert!(slices.waiting.is_empty() && slices.order.is_empty() && slices.given.is_empty());
    }

    #[test]
    fn who_serves_several_asks_for_the_one_that_has_least_waiting() {
        let scheduler = Scheduler::of(1);
        let all: Vec<_> = (0..4).map(|_| scheduler.computation()).collect();
        assert!(asks(&all[0], None).is_none());
        let _greedy = [asks(&all[1], peer(2)), asks(&all[2], peer(2))];
        let _shared = all[3].ask([peer(2), peer(1)].into_iter());
        assert_eq!(scheduler.lock().waiting(peer(1)), 1);
    }
}
