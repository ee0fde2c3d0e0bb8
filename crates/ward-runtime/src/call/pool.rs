//! The warm instances of one component, and how many calls into it there may be at once. The
//! instance that became idle last is called first, so that the others get to the end of their idle
//! time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::CallError;
use super::worker::Worker;
use crate::limits;

/// One component's pool.
pub(crate) struct Pool {
    idle: Mutex<Idle>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Idle {
    /// The next call goes to the last.
    workers: Vec<Parked>,
    /// Whether somebody sees to it that they are let go.
    watched: bool,
}

/// An idle instance, and when it is let go.
struct Parked {
    worker: Worker,
    until: Instant,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(limits::CALLS_PER_COMPONENT_MAX)),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl Pool {
    /// Waits until there may be one more call, but not past `until`, and not where too many wait.
    pub(super) async fn admit(&self, until: Instant) -> Result<OwnedSemaphorePermit, CallError> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _queued = Queued::enter(&self.waiting).ok_or(CallError::Overloaded)?;
        match tokio::time::timeout_at(until, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(CallError::Overloaded),
        }
    }

    /// An idle instance, if there is one.
    pub(super) fn take(&self) -> Option<Worker> {
        self.lock().workers.pop().map(|parked| parked.worker)
    }

    /// Keeps an instance that has become idle. `true` where [`Pool::expire`] has to be called at
    /// `until`, since nobody is going to.
    pub(super) fn park(&self, worker: Worker, until: Instant) -> bool {
        let mut idle = self.lock();
        idle.workers.push(Parked { worker, until });
        !std::mem::replace(&mut idle.watched, true)
    }

    /// Lets those go that have been idle for long. Returns when to do so next; `None` where there
    /// is nothing left to be watched.
    pub(super) fn expire(&self, now: Instant) -> Option<Instant> {
        let mut idle = self.lock();
        let all = std::mem::take(&mut idle.workers);
        let (left, ended): (Vec<Parked>, Vec<Parked>) =
            all.into_iter().partition(|parked| parked.until > now);
        let next = left.iter().map(|parked| parked.until).min();
        idle.workers = left;
        idle.watched = next.is_some();
        // To end an instance takes a while, which nobody should wait for.
        drop(idle);
        drop(ended);
        next
    }

    /// Lets all go that are idle.
    pub(super) fn clear(&self) {
        // Ended when the lock is free again, as above.
        let ended = std::mem::take(&mut self.lock().workers);
        drop(ended);
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits, counted for as long as it does.
struct Queued<'p>(&'p AtomicUsize);

impl<'p> Queued<'p> {
    fn enter(waiting: &'p AtomicUsize) -> Option<Self> {
        let queued = Self(waiting);
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        (before < limits::CALLS_WAITING_MAX).then_some(queued)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn so_many_calls_are_admitted_and_the_next_waits_for_one_to_end() {
        let pool = Pool::default();
        let mut permits = Vec::new();
        for _ in 0..limits::CALLS_PER_COMPONENT_MAX {
            permits.push(pool.admit(soon()).now_or_never().unwrap().unwrap());
        }
        assert_eq!(pool.admit(soon()).await.unwrap_err(), CallError::Overloaded);
        let waits = pool.admit(Instant::now() + Duration::from_secs(60));
        permits.pop();
        assert!(waits.await.is_ok());
    }

    #[tokio::test]
    async fn so_many_wait_and_the_next_is_refused_at_once() {
        let pool = Pool::default();
        let all = u32::try_from(limits::CALLS_PER_COMPONENT_MAX).unwrap();
        let permits = pool.permits.clone().try_acquire_many_owned(all).unwrap();
        let late = Instant::now() + Duration::from_secs(60);
        let mut waiting: Vec<_> =
            (0..limits::CALLS_WAITING_MAX).map(|_| Box::pin(pool.admit(late))).collect();
        for wait in &mut waiting {
            assert!(futures::poll!(wait).is_pending());
        }
        let refused = pool.admit(late).now_or_never().unwrap();
        assert_eq!(refused.unwrap_err(), CallError::Overloaded);
        // One that gives up makes room for another.
        waiting.pop();
        assert!(pool.admit(late).now_or_never().is_none());
        drop(permits);
        assert!(waiting.remove(0).await.is_ok());
    }
}
