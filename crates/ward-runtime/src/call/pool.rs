//! The warm instances of one component that take calls. The instance that became idle last is
//! called first, so that the others get to the end of their idle time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::worker::Worker;

/// One component's pool.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Idle>,
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

impl Pool {
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
