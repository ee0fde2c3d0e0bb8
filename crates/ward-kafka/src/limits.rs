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

/// How long after a look at the table there is none, unless it left something, in times of what the
/// broker took for its last answer: events of these milliseconds share a request, and a broker that
/// is slow to answer has much work for each, however few records are in it. An event after a while
/// of none does not wait.
pub const RELAY_PACE_ANSWERS: u32 = 3;
/// The shortest such time: there is a statement for each look, too.
pub const RELAY_PACE_MIN: Duration = Duration::from_millis(5);
/// The longest: what an event may be late for the sake of others.
pub const RELAY_PACE_MAX: Duration = Duration::from_millis(25);

/// How long rows wait for the answers to those sent before, so as to go together. The client sends
/// no more to a partition while five are on their way, and looks at the clock until it may: at 200
/// events a second that took a third of ward's CPU. A partition that does not answer holds up the
/// others no longer than this.
pub const RELAY_HOLD: Duration = Duration::from_millis(100);

/// Aggregates whose next rows make a request that waits for no other: a backlog is sent as fast as
/// the broker takes it.
pub const RELAY_TOGETHER: usize = 256;

/// How often the table is looked at when no notification came.
pub const RELAY_POLL: Duration = Duration::from_secs(5);

/// How often lanes are shared out anew and old rows are removed.
pub const RELAY_HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How long a stopping relay waits for answers to what it has sent.
pub const RELAY_DRAIN_MAX: Duration = Duration::from_secs(5);

/// The longest a statement of the relay may take: a server that is stopped rather than gone
/// answers nothing, and must not hold the lanes for ever.
pub const STATEMENT_MAX: Duration = Duration::from_secs(15);

/// Pauses after a failure of the broker or the database: the first, and the longest.
pub const OUTAGE_PAUSE_MIN: Duration = Duration::from_millis(50);
/// See [`OUTAGE_PAUSE_MIN`].
pub const OUTAGE_PAUSE_MAX: Duration = Duration::from_secs(2);

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

/// How often a consumer that fetches only what is there asks where its partitions end: what other
/// processes have sent is known this late.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

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
