//! The warm instances of one component, and how many calls into it there may be at once. An idle
//! instance waits at the end of a channel; the one that became idle last is called first, so that
//! the others get to the end of their idle time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::CallError;
use super::worker::Job;
use crate::limits;

/// One component's pool.
pub(crate) struct Pool {
    /// One sender for each idle instance. Those of instances that have ended are left among them
    /// until a call comes by; there are never more than there were calls at once.
    idle: Mutex<Vec<oneshot::Sender<Job>>>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
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

    /// Gives a call to an idle instance. It comes back where there is none.
    pub(super) fn hand_over(&self, mut job: Job) -> Option<Job> {
        loop {
            let Some(idle) = self.lock().pop() else { return Some(job) };
            // What comes back was sent to an instance that has ended in the meantime.
            job = idle.send(job).err()?;
        }
    }

    /// From here on an instance is idle; its next call comes out of what is returned.
    pub(super) fn wait(&self) -> oneshot::Receiver<Job> {
        let (sender, receiver) = oneshot::channel();
        self.lock().push(sender);
        receiver
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<oneshot::Sender<Job>>> {
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
