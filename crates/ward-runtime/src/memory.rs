//! The linear memory of guests: what all of them have together, and one instance's part of it. A
//! part belongs to the data of its store, and is given back when that is dropped, whatever the
//! store has come to: an instance that failed to be made gives back at once.
//!
//! Where there is no room, idle instances are let go, and what asked waits a moment: an answer is
//! out before the instance that gave it is gone. Nothing here knows what an idle instance is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use wasmtime::ResourceLimiterAsync;

use crate::limits;

/// Something that may hold idle instances.
pub(crate) trait Idle: Send + Sync {
    /// Lets go of those it has, now or soon.
    fn let_go(&self);

    /// Some revision is in no release any more: who is idle looks whether it was its own.
    fn look(&self) {}
}

/// What an instance was not made for.
#[derive(Debug, Error)]
#[error("the memory of all guests is in use")]
pub(crate) struct NoRoom;

/// The memory of all guests of a runtime.
pub(crate) struct GuestMemory {
    max_bytes: usize,
    /// What each memory takes beside its bytes.
    beside_bytes: usize,
    used_bytes: AtomicUsize,
    /// How many wait for some to be given back.
    waiting: AtomicUsize,
    given_back: Notify,
    idle: Mutex<Holders>,
    reported: AtomicBool,
}

/// Those that may hold idle instances; who is gone is taken out now and then.
#[derive(Default)]
struct Holders {
    all: Vec<Weak<dyn Idle>>,
    /// Of how many those are taken out next.
    sweep_at: usize,
}

impl GuestMemory {
    /// Memory of `max_bytes`, of which each linear memory takes `beside_bytes` more than it has.
    pub(crate) fn new(max_bytes: u64, beside_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            beside_bytes,
            used_bytes: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            given_back: Notify::new(),
            idle: Mutex::default(),
            reported: AtomicBool::new(false),
        })
    }

    /// Has `idle` asked to let go where memory is needed.
    pub(crate) fn register(&self, idle: Weak<dyn Idle>) {
        let mut holders = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if holders.all.len() >= holders.sweep_at {
            holders.all.retain(|idle| idle.strong_count() > 0);
            holders.sweep_at = 2 * holders.all.len() + 16;
        }
        holders.all.push(idle);
    }

    /// Whether somebody waits for memory, so that no instance is to be kept idle. Who keeps one
    /// asks after that, and again when told by [`Idle::let_go`]: then none is missed.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Takes `bytes`, and waits for them where they are not there. `false`: they did not come.
    async fn take(&self, bytes: usize) -> bool {
        if self.try_take(bytes) {
            return true;
        }
        let _waiting = Waiting::begin(&self.waiting);
        let until = Instant::now() + limits::GUEST_MEMORY_WAIT;
        // Asked for before each look, so that nothing which comes in between is missed.
        let mut given_back = self.given_back.notified();
        self.let_idle_go();
        while !self.try_take(bytes) {
            if timeout_at(until, given_back).await.is_err() {
                return false;
            }
            given_back = self.given_back.notified();
        }
        true
    }

    fn try_take(&self, bytes: usize) -> bool {
        let with = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.max_bytes);
        self.used_bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, with).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::SeqCst);
        if self.is_wanted() {
            self.given_back.notify_waiters();
        }
    }

    /// Has all who are idle look whether they are still of use.
    pub(crate) fn look(&self) {
        self.each(|idle| idle.look());
    }

    fn let_idle_go(&self) {
        self.each(|idle| idle.let_go());
    }

    fn each(&self, ask: impl Fn(&dyn Idle)) {
        let holders = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<_> = holders.all.iter().filter_map(Weak::upgrade).collect();
        // To let go takes a while, and may come back here.
        drop(holders);
        all.iter().for_each(|idle| ask(idle.as_ref()));
    }

    /// Says once that there was no room: whoever has to see it reads it once or in the manual.
    fn report(&self) {
        if !self.reported.swap(true, Ordering::Relaxed) {
            let (setting, bytes) = ("guest_memory", self.max_bytes);
            tracing::warn!(
                setting,
                bytes,
                "the memory of all guests is in use: what needs more is refused, which is not \
                 said again; [application.tool.ward] has the setting"
            );
        }
    }
}

/// One that waits, counted for as long as it does.
struct Waiting<'m>(&'m AtomicUsize);

impl<'m> Waiting<'m> {
    fn begin(waiting: &'m AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What one store has of it.
struct Share {
    memory: Arc<GuestMemory>,
    bytes: usize,
}

impl Share {
    async fn grow(&mut self, bytes: usize) -> bool {
        // Nobody is sent away for what would not be enough either.
        let fits = self.bytes.saturating_add(bytes) <= self.memory.max_bytes;
        let grown = fits && self.memory.take(bytes).await;
        if grown {
            self.bytes = self.bytes.saturating_add(bytes);
        } else {
            self.memory.report();
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

/// How large the memories of one instance are, for whoever decides whether to keep it.
#[derive(Debug, Default)]
pub(crate) struct Footprint {
    bytes: AtomicUsize,
    /// What they were when the instance had been made.
    first_bytes: OnceLock<usize>,
}

impl Footprint {
    /// The instance has been made: what its memories get from here on is growth.
    pub(crate) fn made(&self) {
        self.first_bytes.get_or_init(|| self.bytes.load(Ordering::Relaxed));
    }

    /// Whether they have grown by more than is kept for another request.
    pub(crate) fn has_outgrown(&self) -> bool {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let first = self.first_bytes.get().copied().unwrap_or(bytes);
        bytes.saturating_sub(first) > limits::INSTANCE_GROWTH_KEPT_MAX
    }
}

/// Holds one store to its component's memory limit, summed over all its linear memories, and to
/// what is left of the memory of all guests.
pub(crate) struct MemoryLimiter {
    max_bytes: usize,
    footprint: Arc<Footprint>,
    share: Share,
}

impl MemoryLimiter {
    /// A limiter that allows `max_bytes` in all, out of `memory`.
    pub(crate) fn new(max_bytes: u64, memory: Arc<GuestMemory>) -> Self {
        Self {
            max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            footprint: Arc::default(),
            share: Share { memory, bytes: 0 },
        }
    }

    /// How large the store's memories are.
    pub(crate) fn footprint(&self) -> &Arc<Footprint> {
        &self.footprint
    }
}

#[wasmtime_wasi::async_trait]
impl ResourceLimiterAsync for MemoryLimiter {
    async fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let bytes = self.footprint.bytes.load(Ordering::Relaxed).saturating_add(more);
        // Past its maximum the memory does not grow, and nothing would give back what it was lent.
        if bytes > self.max_bytes || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let beside = if current == 0 { self.share.memory.beside_bytes } else { 0 };
        if self.share.grow(more.saturating_add(beside)).await {
            self.footprint.bytes.store(bytes, Ordering::Relaxed);
            return Ok(true);
        }
        match self.footprint.first_bytes.get() {
            Some(_) => Ok(false),
            None => Err(NoRoom.into()),
        }
    }

    async fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= limits::TABLE_ELEMENTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PAGE: usize = 1 << 16;

    fn limiter(memory: &Arc<GuestMemory>) -> MemoryLimiter {
        MemoryLimiter::new(1 << 30, memory.clone())
    }

    fn used(memory: &GuestMemory) -> usize {
        memory.used_bytes.load(Ordering::SeqCst)
    }

    /// Holds the parts of instances that are idle.
    #[derive(Default)]
    struct Shelf(Mutex<Vec<MemoryLimiter>>);

    impl Idle for Shelf {
        fn let_go(&self) {
            self.0.lock().unwrap().clear();
        }
    }

    #[tokio::test]
    async fn memory_is_summed_over_all_memories_and_refused_past_the_limit() {
        let memory = GuestMemory::new(1 << 30, 0);
        let mut limiter = MemoryLimiter::new(3 << 16, memory.clone());
        assert!(limiter.memory_growing(0, PAGE, None).await.unwrap());
        assert!(limiter.memory_growing(0, 2 * PAGE, None).await.unwrap());
        assert!(!limiter.memory_growing(PAGE, PAGE + 1, None).await.unwrap());
        assert_eq!(used(&memory), 3 * PAGE);
        drop(limiter);
        assert_eq!(used(&memory), 0);
    }

    #[tokio::test]
    async fn what_a_memory_may_not_have_is_not_lent() {
        let memory = GuestMemory::new(1 << 30, 0);
        let mut limiter = limiter(&memory);
        assert!(!limiter.memory_growing(PAGE, 3 * PAGE, Some(2 * PAGE)).await.unwrap());
        assert_eq!(used(&memory), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn all_have_a_sum_and_an_instance_that_is_not_made_is_told_apart_from_growth() {
        let memory = GuestMemory::new(4 << 16, PAGE);
        let mut first = limiter(&memory);
        assert!(first.memory_growing(0, 2 * PAGE, None).await.unwrap());
        assert_eq!(used(&memory), 3 * PAGE);
        let mut second = limiter(&memory);
        let error = second.memory_growing(0, PAGE, None).await.unwrap_err();
        assert!(error.is::<NoRoom>());
        first.footprint().made();
        assert!(!first.memory_growing(2 * PAGE, 4 * PAGE, None).await.unwrap());
        assert!(first.memory_growing(2 * PAGE, 3 * PAGE, None).await.unwrap());
        drop((first, second));
        assert_eq!((used(&memory), memory.is_wanted()), (0, false));
    }

    /// Of two memories the second found no room.
    #[tokio::test(start_paused = true)]
    async fn an_instance_that_fails_to_be_made_gives_back_what_it_had() {
        let memory = GuestMemory::new(4 << 16, 0);
        let mut first = limiter(&memory);
        assert!(first.memory_growing(0, 2 * PAGE, None).await.unwrap());
        let mut second = limiter(&memory);
        assert!(second.memory_growing(0, PAGE, None).await.unwrap());
        assert!(second.memory_growing(0, 2 * PAGE, None).await.is_err());
        assert_eq!(used(&memory), 3 * PAGE);
        drop(second);
        assert_eq!(used(&memory), 2 * PAGE);
    }

    #[tokio::test]
    async fn idle_instances_go_and_not_for_what_would_not_fit_anyway() {
        let memory = GuestMemory::new(4 << 16, 0);
        let shelf = Arc::new(Shelf::default());
        memory.register(Arc::downgrade(&shelf) as Weak<dyn Idle>);
        let mut idle = limiter(&memory);
        assert!(idle.memory_growing(0, 3 * PAGE, None).await.unwrap());
        shelf.0.lock().unwrap().push(idle);
        let mut other = limiter(&memory);
        assert!(other.memory_growing(0, 5 * PAGE, None).await.is_err());
        assert_eq!(used(&memory), 3 * PAGE);
        assert!(other.memory_growing(0, 4 * PAGE, None).await.unwrap());
        assert_eq!(used(&memory), 4 * PAGE);
    }

    /// Given back while the other waits, by a thread of its own.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_given_back_late_is_waited_for() {
        let memory = GuestMemory::new(4 << 16, 0);
        for _ in 0..200 {
            let mut first = limiter(&memory);
            assert!(first.memory_growing(0, 3 * PAGE, None).await.unwrap());
            let waits = memory.clone();
            let ends = std::thread::spawn(move || {
                while !waits.is_wanted() {
                    std::thread::yield_now();
                }
                drop(first);
            });
            let mut second = limiter(&memory);
            assert!(second.memory_growing(0, 3 * PAGE, None).await.unwrap());
            drop(second);
            ends.join().unwrap();
        }
        assert_eq!(used(&memory), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_is_not_waited_for() {
        let memory = GuestMemory::new(1 << 16, 0);
        let mut first = limiter(&memory);
        assert!(first.memory_growing(0, PAGE, None).await.unwrap());
        let mut second = limiter(&memory);
        let short = Duration::from_millis(1);
        let given_up = tokio::time::timeout(short, second.memory_growing(0, PAGE, None)).await;
        assert!(given_up.is_err() && !memory.is_wanted());
    }

    #[tokio::test]
    async fn those_that_are_gone_are_forgotten() {
        let memory = GuestMemory::new(0, 0);
        for _ in 0..1000 {
            let shelf = Arc::new(Shelf::default());
            memory.register(Arc::downgrade(&shelf) as Weak<dyn Idle>);
        }
        assert!(memory.idle.lock().unwrap().all.len() <= 18);
    }

    #[tokio::test]
    async fn only_growth_counts_as_growth() {
        const KEPT: usize = limits::INSTANCE_GROWTH_KEPT_MAX;
        let memory = GuestMemory::new(1 << 30, 0);
        let mut limiter = limiter(&memory);
        let first = 2 * KEPT;
        assert!(limiter.memory_growing(0, first, None).await.unwrap());
        limiter.footprint().made();
        assert!(!limiter.footprint().has_outgrown());
        assert!(limiter.memory_growing(first, first + KEPT, None).await.unwrap());
        assert!(!limiter.footprint().has_outgrown());
        let more = first + KEPT + PAGE;
        assert!(limiter.memory_growing(first + KEPT, more, None).await.unwrap());
        assert!(limiter.footprint().has_outgrown());
    }

    #[tokio::test]
    async fn tables_are_bounded() {
        let mut limiter = limiter(&GuestMemory::new(0, 0));
        const MAX: usize = limits::TABLE_ELEMENTS_MAX;
        assert!(limiter.table_growing(0, MAX, None).await.unwrap());
        assert!(!limiter.table_growing(0, MAX + 1, None).await.unwrap());
    }
}
