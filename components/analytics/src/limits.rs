//! Every bound of the service in one place, with its reason.

use std::time::Duration;

/// Events applied by one statement. 500 are about 15 ms of the database's time, in which others
/// wait for the lock; above 1,000 a batch gains nothing more.
pub(crate) const BATCH_MAX: usize = 1000;

/// Characters of a name or an e-mail address in an event. The patients service allows 100 and 254;
/// what is beyond this is no patient's.
pub(crate) const TEXT_MAX_CHARS: usize = 1000;

/// When deliveries should come again that found the database away: starting PostgreSQL takes about
/// a second.
pub(crate) const RETRY_AWAY: Duration = Duration::from_millis(500);

/// When deliveries should come again that met a mistake of ours (a table that is not there): only
/// people mend it.
pub(crate) const RETRY_BROKEN: Duration = Duration::from_secs(5);

/// Buckets of one timeline: a day of minutes, a month of hours, five years of days.
pub(crate) const BUCKETS_MAX: i64 = 2000;

/// How often the streams of an instance look for what is new, one of them for all. It bounds how
/// late a change is seen: at most one beat, a query, and [`FOLLOW_AFTER`].
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(40);

/// How long after the beat the streams come that do not look themselves: a look-up in an index
/// takes 1 to 2 ms, and whoever comes while it is under way comes again after as long.
pub(crate) const FOLLOW_AFTER: Duration = Duration::from_millis(5);

/// For how long what one stream found, or began to look for, serves the others of the instance in
/// the place of a query of their own. Less than [`LOOK_EVERY`], so that a stream alone always asks
/// itself, and so that the others notice a beat in which nobody looked.
pub(crate) const LOOK_FRESH: Duration = Duration::from_millis(30);

/// How long a stream rests after the database failed.
pub(crate) const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Events read by one look.
pub(crate) const LOOK_MAX: i64 = 500;

/// Events kept for the streams of the instance: what comes in one turn at 20,000 a second. One is
/// about 250 bytes.
pub(crate) const RECENT_MAX: usize = 1000;

/// How often a row says whom a stream told of, as long as it tells of somebody.
pub(crate) const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Patients in one of these rows, about: 16 KiB.
pub(crate) const TOLD_MAX: usize = 1000;

/// How often a stream asks whether its session goes on. Ward answers what was so 600 ms ago at
/// most; with this, and with the beat between, a stream ends within a second of its session.
pub(crate) const SESSION_EVERY: Duration = Duration::from_millis(300);

/// How often a silent stream says that it lives. That a client has left, or that the host stops, is
/// noticed when something is sent; and then it is written down whom the stream told of, for which
/// the host waits three seconds.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a stream lasts before its client has to come again, with a token that is still good.
/// The component's `stream_deadline` is longer, so that it ends in order.
pub(crate) const STREAM_MAX: Duration = Duration::from_secs(50 * 60);

/// Events, or rows, in one step of a rebuild: the last step holds up live events for about as long
/// as that takes, a tenth of a second.
pub(crate) const REBUILD_STEP: i64 = 5000;

/// How long one request goes on rebuilding. The request's deadline is 30 s.
pub(crate) const REBUILD_TIME_MAX: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_seen_within_100_ms() {
        assert!(LOOK_EVERY + FOLLOW_AFTER * 4 < Duration::from_millis(100));
        assert!(LOOK_FRESH < LOOK_EVERY && FOLLOW_AFTER * 2 < LOOK_FRESH);
    }
}
