//! The requests an instance has in hand, by when they have to be answered. A late one ends its
//! instance, but not at the very moment: a guest that computes is only looked at when it yields. In
//! between the instance must take nothing more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// When each request in hand has to be answered: a handful, so a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Underway(Arc<Mutex<Vec<Instant>>>);

impl Underway {
    /// A request begins. It is in hand until what is returned is dropped.
    pub(crate) fn begin(&self, until: Instant) -> Turn {
        self.list().push(until);
        Turn { underway: self.clone(), until }
    }

    /// Whether one of them should have been answered by now, or was not in time.
    pub(crate) fn is_late(&self) -> bool {
        self.list().iter().any(|until| *until <= Instant::now())
    }

    fn list(&self) -> MutexGuard<'_, Vec<Instant>> {
        // A list of moments is whole whatever became of who had it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request in hand.
#[derive(Debug)]
pub(crate) struct Turn {
    underway: Underway,
    until: Instant,
}

impl Turn {
    /// Waits until the request is late.
    pub(crate) async fn late(&self) {
        tokio::time::sleep_until(self.until).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Who was late stays on the list: the instance is not to be used again.
        if self.until <= Instant::now() {
            return;
        }
        let mut list = self.underway.list();
        if let Some(at) = list.iter().position(|until| *until == self.until) {
            list.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_was_answered_in_time_is_forgotten_and_who_was_not_is_not() {
        let underway = Underway::default();
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let quick = underway.begin(now + minute);
        assert!(!underway.is_late());
        drop(quick);
        let slow = underway.begin(now + Duration::from_millis(5));
        slow.late().await;
        assert!(underway.is_late());
        drop(slow);
        assert!(underway.is_late());
    }
}
