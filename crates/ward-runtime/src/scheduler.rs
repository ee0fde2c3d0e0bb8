//! Who computes next. A guest that has computed from one tick of the clock to the next hands its
//! thread back, and goes on when it is given a time slice. There are fewer slices at once than
//! processors, so that who needs less does not wait behind those who compute long; and a slice goes
//! to the peer that has computed least lately, so that one with a hundred computations gets no more
//! than another with one, and who comes with something once in a while does not wait for those who
//! always have something.
//!
//! A slice is given back when the guest has answered; who waits for the outside before that tells
//! nobody, and its slice ends by the clock.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
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

/// Every so many ticks, a third of a second, what a peer has computed counts half as much.
const FORGET_TICKS: u64 = 64;

/// No tick is this one.
const NEVER: u64 = u64::MAX;

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
    /// How many have a slice or wait for one, as it was when the lock was free last.
    busy_with: AtomicUsize,
    slices: Mutex<Slices>,
}

#[derive(Debug, Default)]
struct Slices {
    given: Vec<Slice>,
    waiting: Turns<Waiting>,
    /// In how many ticks each peer computed lately.
    used: HashMap<Peer, u32>,
}

#[derive(Debug)]
struct Slice {
    computation: u64,
    peer: Peer,
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
            busy_with: AtomicUsize::new(0),
            slices: Mutex::default(),
        })
    }

    /// What an instance asks by.
    pub(crate) fn computation(self: &Arc<Self>) -> Arc<Computation> {
        let id = self.computations.fetch_add(1, Relaxed);
        Arc::new(Computation {
            scheduler: self.clone(),
            id,
            begun: AtomicU64::new(NEVER),
            hand_backs: AtomicU32::new(0),
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
        if now.is_multiple_of(FORGET_TICKS) {
            slices.forget();
        }
        self.hand_out(&mut slices);
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

    fn hand_out(&self, slices: &mut Slices) {
        slices.hand_out(self.at_once, self.now());
        self.busy_with.store(slices.given.len() + slices.waiting.len(), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Slices> {
        // Whole at every moment, whatever became of who had it.
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slices {
    fn hand_out(&mut self, at_once: usize, now: u64) {
        let until = now.saturating_add(SLICE_TICKS);
        let Self { given, waiting, used } = self;
        while given.len() < at_once
            && let Some((peer, Waiting { computation, give })) =
                waiting.next(|peer| Some(used.get(&peer).copied().unwrap_or_default()))
        {
            // One that has ended meanwhile takes none.
            if give.send(()).is_ok() {
                given.push(Slice { computation, peer, until });
            }
        }
    }

    fn charge(&mut self, peer: Peer) {
        *self.used.entry(peer).or_default() += 1;
    }

    fn least(&self, peers: impl Iterator<Item = Peer>) -> Peer {
        peers.min_by_key(|peer| self.used(*peer)).flatten()
    }

    fn used(&self, peer: Peer) -> u32 {
        self.used.get(&peer).copied().unwrap_or_default()
    }

    /// Whether somebody computes, or is about to, who did so less than `peer`.
    fn is_wanted_before(&self, peer: Peer) -> bool {
        let used = self.used(peer);
        let mut others = self.given.iter().map(|slice| slice.peer).chain(self.waiting.peers());
        used > 0 && others.any(|other| self.used(other) < used)
    }

    fn forget(&mut self) {
        self.used.retain(|_, used| {
            *used /= 2;
            *used > 0
        });
    }
}

/// One instance's way to its slices.
#[derive(Debug)]
pub(crate) struct Computation {
    scheduler: Arc<Scheduler>,
    id: u64,
    /// The tick after which work began, where it has not been interrupted since.
    begun: AtomicU64,
    /// How often it gave its thread back since it was interrupted. Once it did to be interrupted,
    /// and more than that to wait for something.
    hand_backs: AtomicU32,
    has_slice: AtomicBool,
}

impl Computation {
    /// Work begins for the instance, for `peer`. Says at which tick to interrupt it first: at the
    /// next, or before it does anything where others wait who need less.
    pub(crate) fn begin(&self, peer: Peer) -> u64 {
        self.begun.store(self.scheduler.now(), Relaxed);
        self.hand_backs.store(1, Relaxed);
        self.scheduler.wake();
        let is_contended = self.scheduler.busy_with.load(Relaxed) > 0;
        let waits = is_contended && self.scheduler.lock().is_wanted_before(peer);
        u64::from(!waits)
    }

    /// The instance gives its thread back, for whatever reason.
    pub(crate) fn hand_back(&self) {
        self.hand_backs.fetch_add(1, Relaxed);
    }

    /// One of `peers`, whichever has computed least, has computed for a tick.
    pub(crate) fn charge(&self, peers: impl Iterator<Item = Peer>) {
        let mut slices = self.scheduler.lock();
        let peer = slices.least(peers);
        slices.charge(peer);
    }

    /// The clock has ticked while the instance computed, or waited, for one of `peers`: whichever
    /// has computed least. Its slice, if it had one, is over. What it does next is what is
    /// returned.
    pub(crate) fn pause(self: &Arc<Self>, peers: impl Iterator<Item = Peer>) -> UpdateDeadline {
        self.scheduler.wake();
        let begun = self.begun.swap(NEVER, Relaxed);
        // Whoever waited for something since may have gone on a moment ago.
        if self.hand_backs.swap(0, Relaxed) != 1 {
            return UpdateDeadline::Yield(1);
        }
        let mut slices = self.scheduler.lock();
        let peer = slices.least(peers);
        if begun != self.scheduler.now() {
            slices.charge(peer);
        }
        // What has just begun goes on, unless that keeps somebody waiting who needs less.
        if begun != NEVER && !slices.is_wanted_before(peer) {
            return UpdateDeadline::Yield(1);
        }
        let Some(given) = self.ask(slices, peer) else { return UpdateDeadline::Yield(1) };
        let own = self.clone();
        UpdateDeadline::YieldCustom(
            1,
            Box::pin(async move {
                // A scheduler that is gone lets everybody go on.
                given.await.unwrap_or_default();
                own.hand_backs.store(1, Relaxed);
            }),
        )
    }

    /// The instance has nothing left to do, for now.
    pub(crate) fn end(&self) {
        if self.has_slice.swap(false, Relaxed) {
            let mut slices = self.scheduler.lock();
            slices.given.retain(|slice| slice.computation != self.id);
            self.scheduler.hand_out(&mut slices);
        }
    }

    /// Asks for a slice. `None`: there was one.
    fn ask(&self, mut slices: MutexGuard<'_, Slices>, peer: Peer) -> Option<oneshot::Receiver<()>> {
        let (give, mut given) = oneshot::channel();
        // Before it is given, so that an end at any moment gives it back.
        self.has_slice.store(true, Relaxed);
        slices.given.retain(|slice| slice.computation != self.id);
        slices.waiting.join(peer, Waiting { computation: self.id, give });
        self.scheduler.hand_out(&mut slices);
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
        computation.ask(computation.scheduler.lock(), by)
    }

    fn has_to_wait(computation: &Arc<Computation>, by: Peer) -> bool {
        matches!(computation.pause(std::iter::once(by)), UpdateDeadline::YieldCustom(..))
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
        assert!(asks(&other, None).is_none());
        busy.begin(None);
        scheduler.tick(|| ());
        assert!(!has_to_wait(&busy, None), "it may have begun a moment ago");
        // To be interrupted, then to wait for something.
        busy.hand_back();
        busy.hand_back();
        scheduler.tick(|| ());
        assert!(!has_to_wait(&busy, None), "it may have come back a moment ago");
        busy.hand_back();
        assert!(asks(&other, None).is_none());
        scheduler.tick(|| ());
        assert!(has_to_wait(&busy, None));
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
    fn who_computed_less_lately_comes_first_and_that_is_forgotten() {
        let scheduler = Scheduler::of(1);
        let all: Vec<_> = (0..4).map(|_| scheduler.computation()).collect();
        assert!(asks(&all[0], None).is_none());
        scheduler.lock().used.insert(peer(2), 3);
        let mut of_much = asks(&all[1], peer(2));
        let mut of_none = asks(&all[2], peer(1));
        all[0].end();
        assert!(has(&mut of_none) && !has(&mut of_much));
        for _ in 0..3 * FORGET_TICKS {
            scheduler.tick(|| ());
        }
        assert!(scheduler.lock().used.is_empty());
    }

    #[test]
    fn who_computed_much_asks_at_once_where_somebody_waits_who_did_not() {
        let scheduler = Scheduler::of(1);
        let [modest, greedy, again, new] = std::array::from_fn(|_| scheduler.computation());
        scheduler.lock().used.insert(peer(2), 9);
        assert_eq!(greedy.begin(peer(2)), 1, "nobody else computes");
        scheduler.tick(|| ());
        assert!(!has_to_wait(&greedy, peer(2)));
        assert_eq!(again.begin(peer(2)), 1);
        assert!(asks(&modest, peer(1)).is_none());
        scheduler.tick(|| ());
        assert!(has_to_wait(&again, peer(2)));
        let before = scheduler.lock().used(peer(2));
        assert_eq!(new.begin(peer(2)), 0);
        assert!(has_to_wait(&new, peer(2)));
        assert_eq!(scheduler.lock().used(peer(2)), before, "it has done nothing yet");
        assert_eq!(new.begin(peer(1)), 1);
    }

    #[test]
    fn who_serves_several_counts_as_the_one_who_computed_least() {
        let scheduler = Scheduler::of(1);
        let computation = scheduler.computation();
        scheduler.lock().used.insert(peer(2), 1);
        let used = || {
            let slices = scheduler.lock();
            [slices.used(peer(1)), slices.used(peer(2))]
        };
        let pause = || drop(computation.pause([peer(2), peer(1)].into_iter()));
        pause();
        assert_eq!(used(), [0, 1], "it had nothing to do");
        computation.begin(peer(1));
        scheduler.tick(|| ());
        pause();
        assert_eq!(used(), [1, 1]);
        computation.charge([peer(2)].into_iter());
        assert_eq!(used(), [1, 2]);
    }
}
