//! Who computes next. A guest that has computed from one tick of the clock to the next hands its
//! thread back, and goes on when it is given a time slice. There are fewer slices at once than
//! processors, so that who needs less does not wait behind those who compute long; and slices go
//! round over peers, so that one with a hundred computations gets no more than another with one.
//!
//! A slice is given back when the guest has answered; who waits for the outside before that tells
//! nobody, and its slice ends by the clock.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::UpdateDeadline;

use crate::limits::{TICK, TICK_QUIET};
use crate::turns::{Peer, Turns};

/// Ticks until a slice is another's. Whoever has it hands it on at the next tick; one that is still
/// there at the second waits for something else.
const SLICE_TICKS: u64 = 2;

/// No tick comes after this one.
const NEVER: u64 = u64::MAX - 1;

/// Ticks without anything to do until the clock goes slowly.
const QUIET_TICKS: u32 = 200;

/// The slices there are, and who waits for one.
#[derive(Debug)]
pub(crate) struct Scheduler {
    at_once: usize,
    ticks: AtomicU64,
    /// Whether anything began since the last tick.
    busy: AtomicBool,
    quiet_ticks: AtomicU32,
    computations: AtomicU64,
    slices: Mutex<Slices>,
}

#[derive(Debug, Default)]
struct Slices {
    given: Vec<Slice>,
    waiting: Turns<Waiting>,
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
        Arc::new(Self {
            at_once,
            ticks: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            quiet_ticks: AtomicU32::new(0),
            computations: AtomicU64::new(0),
            slices: Mutex::default(),
        })
    }

    /// What an instance asks by.
    pub(crate) fn computation(self: &Arc<Self>) -> Arc<Computation> {
        let id = self.computations.fetch_add(1, Relaxed);
        Arc::new(Computation {
            scheduler: self.clone(),
            id,
            interrupted: AtomicU64::new(NEVER),
            has_slice: AtomicBool::new(false),
        })
    }

    /// The clock ticks. `interrupt` has every guest asked for a pause that computes; slices that
    /// are over go to others then. Says when to tick again.
    pub(crate) fn tick(&self, interrupt: impl FnOnce()) -> Duration {
        let now = self.now().wrapping_add(1);
        self.ticks.store(now, Relaxed);
        interrupt();
        let mut slices = self.lock();
        slices.given.retain(|slice| slice.until > now);
        slices.hand_out(self.at_once, now);
        drop(slices);
        let quiet = match self.busy.swap(false, Relaxed) {
            true => 0,
            false => self.quiet_ticks.load(Relaxed).saturating_add(1),
        };
        self.quiet_ticks.store(quiet, Relaxed);
        if quiet < QUIET_TICKS { TICK } else { TICK_QUIET }
    }

    /// Work begins. While there is none the clock goes slowly, and costs next to nothing.
    pub(crate) fn wake(&self) {
        if !self.busy.load(Relaxed) {
            self.busy.store(true, Relaxed);
        }
    }

    fn now(&self) -> u64 {
        self.ticks.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Slices> {
        // Whole at every moment, whatever became of who had it.
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slices {
    fn hand_out(&mut self, at_once: usize, now: u64) {
        let until = now.saturating_add(SLICE_TICKS);
        while self.given.len() < at_once
            && let Some((_, Waiting { computation, give })) = self.waiting.next(|_| true)
        {
            // One that has ended meanwhile takes none.
            if give.send(()).is_ok() {
                self.given.push(Slice { computation, until });
            }
        }
    }
}

/// One instance's way to its slices.
#[derive(Debug)]
pub(crate) struct Computation {
    scheduler: Arc<Scheduler>,
    id: u64,
    /// The tick at which it was interrupted last, or went on after that.
    interrupted: AtomicU64,
    has_slice: AtomicBool,
}

impl Computation {
    /// Work begins for the instance.
    pub(crate) fn begin(&self) {
        self.scheduler.wake();
    }

    /// The clock has ticked while the instance computed, or waited, for one of `peers`: whichever
    /// has least waiting. Its slice, if it had one, is over. What it does next is what is returned.
    pub(crate) fn pause(self: &Arc<Self>, peers: impl Iterator<Item = Peer>) -> UpdateDeadline {
        self.scheduler.wake();
        let now = self.scheduler.now();
        let before = self.interrupted.swap(now, Relaxed);
        // Whoever was not interrupted at the last tick has come back from waiting since, or has
        // just begun.
        if before.wrapping_add(1) != now {
            return UpdateDeadline::Yield(1);
        }
        let Some(given) = self.ask(peers) else { return UpdateDeadline::Yield(1) };
        let own = self.clone();
        UpdateDeadline::YieldCustom(
            1,
            Box::pin(async move {
                // A scheduler that is gone lets everybody go on.
                given.await.unwrap_or_default();
                own.interrupted.store(own.scheduler.now(), Relaxed);
            }),
        )
    }

    /// The instance has nothing left to do, for now.
    pub(crate) fn end(&self) {
        if self.has_slice.swap(false, Relaxed) {
            let mut slices = self.scheduler.lock();
            slices.given.retain(|slice| slice.computation != self.id);
            slices.hand_out(self.scheduler.at_once, self.scheduler.now());
        }
    }

    /// Asks for a slice. `None`: there was one.
    fn ask(&self, peers: impl Iterator<Item = Peer>) -> Option<oneshot::Receiver<()>> {
        let (give, mut given) = oneshot::channel();
        // Before it is given, so that an end at any moment gives it back.
        self.has_slice.store(true, Relaxed);
        let mut slices = self.scheduler.lock();
        slices.given.retain(|slice| slice.computation != self.id);
        let peer = peers.min_by_key(|peer| slices.waiting.len_of(*peer)).flatten();
        slices.waiting.join(peer, Waiting { computation: self.id, give });
        slices.hand_out(self.scheduler.at_once, self.scheduler.now());
        drop(slices);
        given.try_recv().is_err().then_some(given)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn peer(last: u8) -> Peer {
        Some(IpAddr::from([127, 0, 0, last]))
    }

    fn asks(computation: &Arc<Computation>, by: Peer) -> Option<oneshot::Receiver<()>> {
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
        scheduler.tick(|| ());
        assert!(!has(&mut waiting));
        scheduler.tick(|| ());
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
        scheduler.tick(|| ());
        scheduler.tick(|| ());
        scheduler.tick(|| ());
        scheduler.tick(|| ());
        let slices = scheduler.lock();
        assert!(slices.waiting.len() == 0 && slices.given.is_empty());
    }

    #[test]
    fn only_who_computed_from_one_tick_to_the_next_has_to_ask() {
        let scheduler = Scheduler::of(1);
        let [busy, other] = std::array::from_fn(|_| scheduler.computation());
        let pause = |computation: &Arc<Computation>| {
            matches!(computation.pause(std::iter::empty()), UpdateDeadline::YieldCustom(..))
        };
        assert!(asks(&other, None).is_none());
        scheduler.tick(|| ());
        assert!(!pause(&busy), "it may have begun a moment ago");
        scheduler.lock().given.clear();
        assert!(asks(&other, None).is_none());
        scheduler.tick(|| ());
        assert!(pause(&busy));
        scheduler.tick(|| ());
        scheduler.tick(|| ());
        assert!(!pause(&busy), "it was somewhere else in between");
    }

    #[test]
    fn what_is_given_back_is_anothers_at_once() {
        let scheduler = Scheduler::of(1);
        let [first, second] = std::array::from_fn(|_| scheduler.computation());
        assert!(asks(&first, None).is_none());
        let mut waiting = asks(&second, None);
        first.end();
        assert!(has(&mut waiting));
        first.end();
        assert_eq!(scheduler.lock().given.len(), 1, "who has none gives none back");
    }

    #[test]
    fn the_clock_goes_slowly_while_there_is_nothing_to_do() {
        let scheduler = Scheduler::of(1);
        for _ in 1..QUIET_TICKS {
            assert_eq!(scheduler.tick(|| ()), TICK);
        }
        assert_eq!(scheduler.tick(|| ()), TICK_QUIET);
        scheduler.wake();
        assert_eq!(scheduler.tick(|| ()), TICK);
    }

    #[test]
    fn who_serves_several_asks_for_the_one_that_has_least_waiting() {
        let scheduler = Scheduler::of(1);
        let all: Vec<_> = (0..4).map(|_| scheduler.computation()).collect();
        assert!(asks(&all[0], None).is_none());
        let _greedy = [asks(&all[1], peer(2)), asks(&all[2], peer(2))];
        let _shared = all[3].ask([peer(2), peer(1)].into_iter());
        assert_eq!(scheduler.lock().waiting.len_of(peer(1)), 1);
    }
}
