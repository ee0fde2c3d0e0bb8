//! What this process knows of where partitions end: from its own appends at once, and that others
//! have appended something from their notifications. It decides when a partition is read, never
//! what: an end that is not known makes a record late.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, watch};

/// The ends of partitions, by their number in the database.
#[derive(Debug, Default)]
pub(super) struct Tides {
    ends: Mutex<BTreeMap<i32, i64>>,
    /// Rises when something was appended; how often others did is beside it.
    moved: watch::Sender<u64>,
    others: watch::Sender<u64>,
    untold: Notify,
    /// Whether no other ward is there to be told.
    alone: AtomicBool,
}

/// One reader's view of the tides.
pub(super) struct Watching {
    moved: watch::Receiver<u64>,
    others: watch::Receiver<u64>,
}

impl Tides {
    /// This process appended: partitions end here now.
    pub(super) fn appended(&self, ends: impl IntoIterator<Item = (i32, i64)>) {
        {
            let mut known = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
            for (part, end) in ends {
                let known = known.entry(part).or_default();
                *known = end.max(*known);
            }
        }
        self.moved.send_modify(|count| *count += 1);
        if !self.alone.load(Ordering::Relaxed) {
            self.untold.notify_one();
        }
    }

    /// Whether other wards use this log, as far as that is known.
    pub(super) fn are_others(&self, any: bool) {
        self.alone.store(!any, Ordering::Relaxed);
    }

    /// Another process appended.
    pub(super) fn others_appended(&self) {
        self.others.send_modify(|count| *count += 1);
    }

    /// Waits until there is something that others have to be told.
    pub(super) async fn to_be_told(&self) {
        self.untold.notified().await;
    }

    /// Whether a partition is known to go beyond a position.
    pub(super) fn is_beyond(&self, part: i32, position: i64) -> bool {
        let known = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&part).is_some_and(|end| *end > position)
    }

    pub(super) fn watch(&self) -> Watching {
        Watching { moved: self.moved.subscribe(), others: self.others.subscribe() }
    }
}

impl Watching {
    /// Waits for the next append; says whether it was another process's, of which nothing more is
    /// known.
    pub(super) async fn next(&mut self) -> bool {
        // The senders live as long as the log.
        tokio::select! {
            _ = self.moved.changed() => false,
            _ = self.others.changed() => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tides;

    #[tokio::test]
    async fn ends_only_grow_and_whoever_watches_hears_of_it() {
        let tides = Tides::default();
        let mut watching = tides.watch();
        tides.appended([(1, 5)]);
        tides.appended([(1, 4)]);
        assert!(!watching.next().await);
        assert!(tides.is_beyond(1, 4) && !tides.is_beyond(1, 5) && !tides.is_beyond(2, 0));
        tides.others_appended();
        assert!(watching.next().await, "others say nothing of where");
    }

    #[tokio::test]
    async fn who_is_alone_tells_nobody() {
        let tides = Tides::default();
        tides.are_others(false);
        tides.appended([(1, 1)]);
        let told = futures::FutureExt::now_or_never(tides.to_be_told());
        assert!(told.is_none());
        tides.are_others(true);
        tides.appended([(1, 2)]);
        tides.to_be_told().await;
    }
}
