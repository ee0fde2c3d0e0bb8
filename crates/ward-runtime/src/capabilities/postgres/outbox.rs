//! Who wants to know that a component has just committed an event: the relay of its outbox, which
//! need not look for it again and again, nor have the database tell. What is told may be early or
//! for nothing; what a function of the database writes by itself is not told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The table's name. A statement without it reads or writes something else.
const TABLE: &str = "outbox";

/// Takes the id of a component that has written.
type Ring = dyn Fn(&str) + Send + Sync;

/// Called with a component's id, after a statement of its about an outbox was committed.
#[derive(Clone, Default)]
pub struct OutboxBell(Option<Arc<Ring>>);

impl OutboxBell {
    /// `ring` is called on the component's own way, so it must not wait for anything.
    pub fn new(ring: impl Fn(&str) + Send + Sync + 'static) -> Self {
        OutboxBell(Some(Arc::new(ring)))
    }
}

impl fmt::Debug for OutboxBell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutboxBell").field(&self.0.is_some()).finish()
    }
}

/// What one handle's statements have written.
pub(super) struct OutboxWatch {
    bell: OutboxBell,
    component: Arc<str>,
    /// Such a statement may be waiting for a COMMIT.
    waits: AtomicBool,
}

impl OutboxWatch {
    pub(super) fn new(bell: OutboxBell, component: Arc<str>) -> Self {
        OutboxWatch { bell, component, waits: AtomicBool::new(false) }
    }

    /// Whether the statement, once it is done, is worth telling of. A search of a few hundred bytes
    /// costs less than remembering what came of it.
    pub(super) fn concerns(&self, statement: &str) -> bool {
        if self.bell.0.is_none() {
            return false;
        }
        if statement.contains(TABLE) {
            self.waits.store(true, Ordering::Relaxed);
            return true;
        }
        self.waits.load(Ordering::Relaxed) && is_commit(statement)
    }

    /// Such a statement is done. Within a transaction that is too early; its COMMIT comes here,
    /// too.
    pub(super) fn ring(&self) {
        if let Some(ring) = &self.bell.0 {
            ring(&self.component);
        }
    }
}

fn is_commit(statement: &str) -> bool {
    let word = statement.split_whitespace().next().unwrap_or_default();
    let word = word.trim_end_matches(';');
    word.eq_ignore_ascii_case("commit") || word.eq_ignore_ascii_case("end")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{OutboxBell, OutboxWatch};

    #[test]
    fn writes_of_events_are_told_and_so_is_their_commit_and_nothing_else() {
        let rung = Arc::new(AtomicU32::new(0));
        let count = rung.clone();
        let bell = OutboxBell::new(move |component| {
            assert_eq!(component, "shop");
            count.fetch_add(1, Ordering::Relaxed);
        });
        let watch = OutboxWatch::new(bell, "shop".into());
        assert!(!watch.concerns("SELECT 1") && !watch.concerns("COMMIT"));
        assert!(watch.concerns("WITH p AS (INSERT …) INSERT INTO outbox SELECT …"));
        assert!(watch.concerns(" commit;") && watch.concerns("END") && !watch.concerns("SELECT 1"));
        watch.ring();
        assert_eq!(rung.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn without_anybody_who_listens_nothing_is_looked_for() {
        let watch = OutboxWatch::new(OutboxBell::default(), "shop".into());
        assert!(!watch.concerns("INSERT INTO outbox"));
    }
}
