//! What relays and triggers have done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that anybody may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one trigger has done since it started.
#[derive(Debug, Default)]
pub struct TriggerStats {
    /// Calls to the component.
    pub calls: Counter,
    /// Calls that came to nothing.
    pub failed: Counter,
    /// Records the component has applied or knew already.
    pub done: Counter,
    /// Records it asked to have again.
    pub retried: Counter,
    /// Records that were set aside.
    pub dead: Counter,
    /// Records that wait or are under way, now.
    pub waiting: Counter,
}

/// What one relay has done since it started.
#[derive(Debug, Default)]
pub struct RelayStats {
    /// Events that the broker has acknowledged.
    pub sent: Counter,
    /// Attempts that failed and are repeated.
    pub failed: Counter,
    /// Rows that can never be sent.
    pub set_aside: Counter,
    /// Published rows that were removed.
    pub removed: Counter,
    /// Connections to the database that were lost or could not be made.
    pub disconnected: Counter,
}
