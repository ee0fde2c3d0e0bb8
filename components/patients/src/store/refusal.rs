//! What is written down when a change was not made, and why it was not.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::Refusal;

/// Says why a change matched no row, and notes it. `conditions` are the change's own: the versions
/// expected and the date of registration.
///
/// This looks a moment after the change did. Should the patient have changed again in between, the
/// answer is still true of that moment: gone is gone, and what was stale stays stale.
pub(super) async fn find_out(
    database: &Database,
    access: &Access<'_>,
    action: &str,
    id: &str,
    conditions: [ParameterValue; 2],
) -> Result<Refusal, Fault> {
    let what = [database::uuid(id), database::text(action)];
    let values = access.values(what.into_iter().chain(conditions));
    let rows = database.query(include_str!("refusal.sql"), values).await?;
    let row = rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?;
    match row.text(0)?.as_str() {
        "NOT_FOUND" => Ok(Refusal::NotFound),
        "STALE" => Ok(Refusal::Stale),
        "REFUSED" => Ok(Refusal::RegisteredDate),
        _ => Err(Fault::Other("outcome".to_owned())),
    }
}

/// Notes a replacement that a taken e-mail address prevented. That statement has been undone as a
/// whole, so its audit row is written on its own.
pub(super) async fn note_conflict(
    database: &Database,
    access: &Access<'_>,
    id: &str,
) -> Result<(), Fault> {
    let values = access.values([database::uuid(id)]);
    database.execute(include_str!("conflict.sql"), values).await?;
    Ok(())
}
