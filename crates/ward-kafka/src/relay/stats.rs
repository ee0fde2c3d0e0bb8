//! What the relay has done, in numbers that only grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How far it has come.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
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
