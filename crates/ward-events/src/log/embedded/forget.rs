//! Taking back what was said of a key: the records stay where they are, without their values, so
//! that no position changes and whoever reads passes over them.

use std::sync::Arc;

use super::{Shared, headers};
use crate::database::DatabaseError;
use crate::limits::FORGET_RECORDS_MAX;
use crate::log::{ERASES, Reply, SendError, erased_headers};

/// $1 is the partition, $2 to $3 the positions that are gone over, $4 the key. What erases itself
/// stays ($6): somebody may not have taken it yet, or have it among the dead letters, and it says
/// nothing but that.
const FORGET: &str = "UPDATE record SET value = NULL, headers = $5 \
    WHERE part = $1 AND position >= $2 AND position < $3 AND key = $4 AND value IS NOT NULL \
    AND position($6::bytea IN headers) = 0";

const FIRST: &str = "SELECT position FROM record WHERE part = $1 ORDER BY position LIMIT 1";

/// What is to be taken back.
pub(super) struct Erasure {
    /// The partition's number in the database.
    pub(super) part: i32,
    /// The position of the record that erases.
    pub(super) before: i64,
    pub(super) key: Vec<u8>,
}

/// Takes it back and answers for the record that erases, which the log has by then. Where this
/// fails the record counts as not sent: it comes again, and with it this.
pub(super) async fn forget(shared: Arc<Shared>, erasure: Erasure, reply: Reply) {
    let forgotten = go_over(&shared, &erasure).await;
    reply(forgotten.map_err(|error| {
        shared.health.failed(&error.0);
        SendError::Later(error.0)
    }));
}

/// There is no index on keys, which every append would pay for: a partition is gone over, and
/// rarely. By parts, so that no statement takes long.
async fn go_over(shared: &Shared, erasure: &Erasure) -> Result<(), DatabaseError> {
    let Erasure { part, before, key } = erasure;
    let (headers, erasing) = (headers::write(&erased_headers()), headers::named(ERASES));
    let first = shared.writing.query(FIRST, &[part]).await?;
    let mut from: i64 = first.first().map_or(Ok(*before), |row| row.try_get(0))?;
    while from < *before {
        let upto = from.saturating_add(FORGET_RECORDS_MAX).min(*before);
        shared.writing.query(FORGET, &[part, &from, &upto, key, &headers, &erasing]).await?;
        from = upto;
    }
    Ok(())
}
