//! The counts of failed logins. What they mean is said in [`crate::back_off`].

use kit::database::{Database, Fault};
use spin_sdk::pg::ParameterValue;

use crate::back_off::{Keys, Pace};
use crate::limits::{BATCH, KNOWN_SECONDS};

const OVER: &str = "\
DELETE FROM login_attempts
 WHERE key IN (SELECT key FROM login_attempts WHERE matters_until < now()
                ORDER BY matters_until LIMIT $1::bigint FOR UPDATE SKIP LOCKED)";

/// For how many seconds nobody is let try this name from this address; 0 where somebody may.
pub(crate) async fn wait(database: &Database, keys: &Keys) -> Result<i64, Fault> {
    let values = vec![
        ParameterValue::Binary(keys.pair.clone()),
        ParameterValue::Binary(keys.address.clone()),
        ParameterValue::Int64(KNOWN_SECONDS),
    ];
    let rows = database.query(include_str!("wait.sql"), values).await?;
    rows.first().map_or(Ok(0), |row| row.bigint(0))
}

/// Counts a failure against both, each at its own pace.
pub(crate) async fn failed(
    database: &Database,
    keys: &Keys,
    [pair, address]: [Pace; 2],
) -> Result<(), Fault> {
    // Always in this order, so that no two wait for each other: an address comes last.
    for (key, pace) in [(&keys.pair, pair), (&keys.address, address)] {
        let values = vec![
            ParameterValue::Binary(key.clone()),
            ParameterValue::Int64(pace.free),
            ParameterValue::Int64(pace.drain_seconds),
            ParameterValue::Int64(pace.wait_seconds_max),
        ];
        database.execute(include_str!("failed.sql"), values).await?;
    }
    Ok(())
}

/// Forgets what was counted for the name at the address, and remembers that it was right.
pub(crate) async fn succeeded(database: &Database, keys: &Keys) -> Result<(), Fault> {
    let values =
        vec![ParameterValue::Binary(keys.pair.clone()), ParameterValue::Int64(KNOWN_SECONDS)];
    database.execute(include_str!("succeeded.sql"), values).await
}

/// Removes some of what no longer matters.
pub(crate) async fn remove(database: &Database) -> Result<(), Fault> {
    database.execute(OVER, vec![ParameterValue::Int64(BATCH)]).await
}
