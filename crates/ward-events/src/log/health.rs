//! Whether the log can be used, as far as anybody here has noticed. Logged when it changes, so that
//! an outage of an hour is two lines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Trouble;

/// How often a refusal is said while it lasts. Clients try again several times a second.
const REFUSAL_EVERY: Duration = Duration::from_secs(600);

/// What is known of a log.
#[derive(Debug)]
pub(crate) struct Health {
    /// What it is called, as in "the Kafka broker".
    name: &'static str,
    /// Whether it has ever done anything: before, nobody knows whether it can be used.
    used: AtomicBool,
    down: AtomicBool,
    /// When a refusal was last said.
    refused: Mutex<Option<Instant>>,
}

impl Health {
    pub(crate) fn new(name: &'static str) -> Health {
        Health {
            name,
            used: AtomicBool::new(false),
            down: AtomicBool::new(false),
            refused: Mutex::new(None),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// It did not answer, or not well; `what` is a word for it.
    pub(crate) fn failed(&self, what: &str) {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason = what, "{} cannot be used now; events wait", self.name);
        }
    }

    /// It could not be used at all, for this reason.
    pub(crate) fn troubled(&self, trouble: &Trouble) {
        if trouble.is_refusal {
            self.down.store(true, Ordering::Relaxed);
            self.refused(&trouble.reason);
        } else {
            self.failed(&trouble.reason);
        }
    }

    /// It does not know us, or we do not know it. Said even when others still have a connection,
    /// or when it is known that it cannot be used: it takes somebody to mend it.
    pub(crate) fn refused(&self, reason: &str) {
        let mut said = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= REFUSAL_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(reason, "{} and ward do not accept each other", self.name);
        }
    }

    /// Whether it did what it was asked to do, the last time.
    pub(crate) fn is_up(&self) -> bool {
        self.used.load(Ordering::Relaxed) && !self.down.load(Ordering::Relaxed)
    }

    /// It did what it was asked to do.
    pub(crate) fn works(&self) {
        self.used.store(true, Ordering::Relaxed);
        if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
            tracing::info!("{} is back", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Health;
    use crate::log::Trouble;

    #[test]
    fn nobody_says_that_it_works_before_it_did() {
        let health = Health::new("the log");
        assert!(!health.is_up());
        health.works();
        assert!(health.is_up());
        health.failed("timed out");
        assert!(!health.is_up());
    }

    #[test]
    fn who_is_refused_is_down_until_something_works() {
        let health = Health::new("the log");
        health.troubled(&Trouble { reason: "wrong password".to_owned(), is_refusal: true });
        assert!(!health.is_up() && health.refused.lock().unwrap().is_some());
        health.works();
        assert!(health.is_up() && health.refused.lock().unwrap().is_none());
    }
}
