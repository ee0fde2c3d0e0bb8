//! Where partitions end, as far as this process knows: from the acknowledgements of what it has
//! sent, and from asking now and then. For brokers that wait for records by looking again and
//! again: a consumer that fetches only what is there costs them nothing while nothing happens, and
//! hears of a record when the producer does. Where a partition ends decides only when it is read,
//! never what: an end that is not known, or too low for a while, makes a record late.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The ends of all partitions of all topics.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    topics: Mutex<BTreeMap<Arc<str>, BTreeMap<i32, i64>>>,
    moved: watch::Sender<()>,
}

impl Ends {
    /// A partition ends here, one past its last record, or later.
    pub(crate) fn reached(&self, topic: &str, partition: i32, end: i64) {
        let moved = {
            let mut topics = self.lock();
            match topics.get_mut(topic) {
                Some(ends) => {
                    let known = ends.entry(partition).or_insert(-1);
                    std::mem::replace(known, end.max(*known)) < end
                }
                None => topics.insert(topic.into(), BTreeMap::from([(partition, end)])).is_none(),
            }
        };
        if moved {
            self.moved.send_replace(());
        }
    }

    /// One past the last record of a partition; `None` where nothing is known.
    pub(crate) fn of(&self, topic: &str, partition: i32) -> Option<i64> {
        self.lock().get(topic)?.get(&partition).copied()
    }

    /// Changes whenever some partition has grown.
    pub(crate) fn moved(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, BTreeMap<i32, i64>>> {
        // Nothing in here panics while it holds the lock.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Ends;

    #[test]
    fn ends_only_grow_and_say_so() {
        let ends = Ends::default();
        let mut moved = ends.moved();
        assert_eq!(ends.of("t", 0), None);
        ends.reached("t", 0, 5);
        assert!(moved.has_changed().unwrap());
        moved.mark_unchanged();
        ends.reached("t", 0, 4);
        assert!(!moved.has_changed().unwrap());
        assert_eq!((ends.of("t", 0), ends.of("t", 1), ends.of("u", 0)), (Some(5), None, None));
    }

    #[test]
    fn an_empty_partition_ends_before_its_first_record() {
        let ends = Ends::default();
        ends.reached("t", 0, 0);
        assert_eq!(ends.of("t", 0), Some(0));
    }
}
