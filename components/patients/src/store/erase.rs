//! Erasing a patient: what is left is the id, and that somebody was erased.

use kit::audit::Access;
use kit::database::{self, Database, Fault};

use super::{Change, Outcome, Refusal};

/// Erases the patient, deleted or not, if its version is one that is expected. Who is erased
/// already stays so, whatever version is expected: nothing is left that the condition could keep.
pub(crate) async fn erase(
    database: &Database,
    access: &Access<'_>,
    change: Change<'_>,
    reason: &str,
) -> Result<Outcome<()>, Fault> {
    let [among, besides] = database::versions(change.expected);
    let (id, sight) = (database::uuid(change.id), change.sight.restricted());
    let reason = database::text(reason);
    let values = [id.clone(), among, besides, access.trace(), sight.clone(), reason.clone()];
    let rows = database.query(include_str!("erase.sql"), access.values(values)).await?;
    if !rows.is_empty() {
        return Ok(Ok(()));
    }
    let values = access.values([id, sight, reason]);
    let rows = database.query(include_str!("erase_refusal.sql"), values).await?;
    let row = rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?;
    match row.text(0)?.as_str() {
        "SUCCESS" => Ok(Ok(())),
        "NOT_FOUND" => Ok(Err(Refusal::NotFound)),
        "STALE" => Ok(Err(Refusal::Stale)),
        _ => Err(Fault::Other("verdict".to_owned())),
    }
}
