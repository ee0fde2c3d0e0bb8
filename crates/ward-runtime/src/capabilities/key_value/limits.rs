//! How much and how long, for stores of either kind.

use std::time::Duration;

/// Bytes of a key. PostgreSQL indexes no value of more than 2,700.
pub(crate) const KEY_BYTES_MAX: usize = 1024;

/// Bytes of a value. It is held a few times over on its way from a guest to the disk.
pub(crate) const VALUE_BYTES_MAX: usize = 1 << 20;

/// Keys read at once when they are listed.
pub(super) const KEYS_BATCH: usize = 256;

/// Pairs of a shared store that are answered from memory: all sessions that 500 users a second end
/// within a minute. What is beyond is asked of the database.
pub(super) const HELD_PAIRS_MAX: usize = 32_768;

/// Bytes of a value that is held; of a longer one it is known that it is there.
pub(super) const HELD_VALUE_BYTES_MAX: usize = 512;

/// Bytes of all that is held, each pair counted with [`HELD_PAIR_BYTES`]. That many pairs with keys
/// of 50 bytes and short values have room.
pub(super) const HELD_BYTES_MAX: usize = 8 << 20;

/// What a pair takes in memory beside its key and its value.
pub(super) const HELD_PAIR_BYTES: usize = 128;

/// Versions for which a pair that was removed is remembered in the database. Whoever has heard
/// nothing for longer reads everything anew.
pub(super) const REMOVED_KEPT: i64 = 4096;

/// For how long memory is believed after the database was asked whether it is right. With the 300
/// ms that a stream may take to ask, and an answer on its way, that is less than the second that is
/// promised.
pub(super) const BELIEVED: Duration = Duration::from_millis(600);

/// How often the database is asked while a store is in use, so that no reader waits for it.
pub(super) const BEAT: Duration = Duration::from_millis(200);

/// A connection that is silent for so long is given up for another: together with the beat, and
/// with what connecting takes, less than memory is believed.
pub(super) const SILENCE_MAX: Duration = Duration::from_millis(300);

/// The longest that one try to reach the database takes, and the longest that a statement takes.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The longest that a statement waits for a lock: another ward's, whose machine may stand still.
pub(super) const LOCK_MAX: Duration = Duration::from_secs(2);

/// Between a failed try and the next, however many ask.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How often a reader waits for the database to be asked. Once is enough, but for a reader whose
/// ward writes just then.
pub(super) const TRIES_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_connection_is_replaced_while_memory_is_believed() {
        assert!(BEAT + SILENCE_MAX < BELIEVED);
        assert!(BELIEVED < Duration::from_millis(700));
    }
}
