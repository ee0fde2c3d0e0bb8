//! Everything the relay and the trigger hold, wait for or repeat, with its bound.

use std::time::Duration;

/// The most outbox rows the relay holds at once: sent and unanswered, answered and unmarked, or
/// waiting. At 15,000 a second it is half a second of work, and at 1 KiB a row 8 MiB.
pub const RELAY_ROWS_MAX: usize = 8192;

/// The most rows of one aggregate held at once: its rows are sent one after another, so more would
/// only keep others out.
pub const RELAY_ROWS_PER_KEY_MAX: usize = 64;

/// The most rows one statement fetches, marks or removes.
pub const RELAY_BATCH_ROWS_MAX: usize = 2048;

/// The most rows removed by one statement, so that it holds few locks for a short time.
pub const RELAY_REMOVE_ROWS_MAX: i64 = 1000;

/// How often published rows are looked for whose time is over: it is for room alone. At each beat
/// it was a third of what a relay without anything to do costs the database.
pub const RELAY_REMOVE_EVERY: Duration = Duration::from_secs(60);

/// How long after a look at the table there is none, unless it left something: events of these
/// milliseconds share a statement here, a request there, and a mark. An event after a while of none
/// does not wait.
pub const RELAY_PACE: Duration = Duration::from_millis(4);

/// How often the table is looked at when no notification came.
pub const RELAY_POLL: Duration = Duration::from_secs(5);

/// How long a stopping relay waits for answers to what it has sent.
pub const RELAY_DRAIN_MAX: Duration = Duration::from_secs(5);

/// The longest a statement of the relay may take: a server that is stopped rather than gone
/// answers nothing, and must not hold the lanes for ever.
pub const STATEMENT_MAX: Duration = Duration::from_secs(15);

/// The longest a statement here waits for a lock of somebody else's.
pub const LOCK_MAX: Duration = Duration::from_secs(10);

/// A PostgreSQL server asks after a silent session in such steps, and ends it when so many of its
/// questions were not answered: a machine that is gone holds nothing for longer than 15 s.
pub const DEAD_PEER_SILENCE: Duration = Duration::from_secs(5);
/// See [`DEAD_PEER_SILENCE`].
pub const DEAD_PEER_PROBES: u32 = 2;

/// Pauses after a failure of the broker or the database: the first, and the longest.
pub const OUTAGE_PAUSE_MIN: Duration = Duration::from_millis(50);
/// See [`OUTAGE_PAUSE_MIN`].
pub const OUTAGE_PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long a topic that could not be made is left alone. Somebody has to make it, or to allow it.
pub const UNMADE_PAUSE: Duration = Duration::from_secs(10);

/// How often a topic is named that is missing, as long as it is.
pub const UNMADE_SAID_EVERY: Duration = Duration::from_secs(600);

/// How long the client tries to deliver a record before it gives it back. The relay then sends it
/// again, so this only bounds how long one attempt may be silent.
pub const DELIVERY_MAX: Duration = Duration::from_secs(30);

/// The largest record, in bytes: Kafka's own default.
pub const RECORD_BYTES_MAX: usize = 1_000_000;

/// The longest reason that is kept with a row or a dead letter, in characters.
pub const REASON_CHARS_MAX: usize = 200;

/// The most bytes of records one partition holds before it is paused.
pub const PARTITION_BYTES_MAX: usize = 8 << 20;

/// A partition is paused when it holds so many full batches, and goes on at half of that.
pub const PARTITION_BATCHES_MAX: usize = 4;

/// How often positions are committed when they have moved.
pub const COMMIT_EVERY: Duration = Duration::from_millis(200);

/// How often a consumer to which nothing happens looks whether its last commit failed.
pub const COMMIT_LOOK: Duration = Duration::from_secs(5);

/// The most records and bytes that one statement appends to the embedded log: a tenth of a second's
/// work at most, for which the next ones wait.
pub const APPEND_RECORDS_MAX: usize = 1024;
/// See [`APPEND_RECORDS_MAX`].
pub const APPEND_BYTES_MAX: usize = 4 << 20;

/// The most records one statement reads of a partition of the embedded log, as long as they are
/// small: it begins with the least of them, doubles, and halves when a read came to more bytes than
/// [`READ_BYTES_MAX`].
pub const READ_RECORDS_MAX: i64 = 1024;
/// See [`READ_RECORDS_MAX`]. So many of the largest records are 32 MB.
pub const READ_RECORDS_MIN: i64 = 32;
/// See [`READ_RECORDS_MAX`].
pub const READ_BYTES_MAX: usize = 2 << 20;

/// The most records one statement removes of a partition, so that it holds few locks for a short
/// time. At one a minute it keeps up with a million and a half a day.
pub const LOG_REMOVE_RECORDS_MAX: i64 = 1000;

/// Over how many records one statement goes that takes back what was said of a key: a few
/// milliseconds, for which appends wait.
pub const FORGET_RECORDS_MAX: i64 = 10_000;

/// The shortest time between two notifications of a ward's. A server lets only one transaction at a
/// time commit that notifies, so each is paid for by all who do.
pub const NOTIFY_EVERY: Duration = Duration::from_millis(10);

/// How long what a ward has of lanes and partitions is its own after it was last heard of. Longer
/// than a pause of the machine that is to go unnoticed; with [`BEAT_EVERY`] it is how late events
/// are that wait for a ward which stands still: below 20 s.
pub const LEASE_MAX: Duration = Duration::from_secs(10);

/// How often a ward makes itself heard of, and sees what has come free. Three in a row may fail.
pub const BEAT_EVERY: Duration = Duration::from_secs(3);

/// How long a partition that is taken away is waited for to finish its call. It has to be well
/// below the session timeout.
pub const REVOKE_MAX: Duration = Duration::from_secs(3);

/// How long a stopping trigger waits for its calls to end.
pub const STOP_MAX: Duration = Duration::from_secs(10);

/// After this silence the broker gives a consumer's partitions to others.
pub const SESSION_MAX: Duration = Duration::from_secs(10);

/// Pauses before a record or batch is tried again: the first, and the longest.
pub const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
/// See [`RETRY_PAUSE_MIN`].
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The longest a component may ask a record to be held back.
pub const RETRY_ASKED_MAX: Duration = Duration::from_secs(300);

/// A pause that doubles with each attempt, from `shortest` at attempt 0 up to `longest`.
#[must_use]
pub fn pause(attempt: u32, shortest: Duration, longest: Duration) -> Duration {
    shortest.saturating_mul(1 << attempt.min(20)).min(longest)
}

/// Cuts a reason to [`REASON_CHARS_MAX`] characters and one line.
#[must_use]
pub fn reason(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{REASON_CHARS_MAX, pause, reason};

    #[test]
    fn pauses_double_up_to_the_longest() {
        let (shortest, longest) = (Duration::from_millis(50), Duration::from_secs(2));
        let pauses = [0, 1, 2, 5, 6, 1000].map(|attempt| pause(attempt, shortest, longest));
        let expected = [50, 100, 200, 1600, 2000, 2000].map(Duration::from_millis);
        assert_eq!(pauses, expected);
    }

    #[test]
    fn reasons_are_cut_at_the_limit() {
        let at = "ä".repeat(REASON_CHARS_MAX);
        assert_eq!(reason(&at), at);
        assert_eq!(reason(&format!("{at}x")), at);
        assert_eq!(reason("two\nlines"), "two lines");
    }
}
