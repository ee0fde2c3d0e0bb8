//! Restricting a patient, and releasing them: as often as anybody likes, with one effect.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::{Change, Outcome, Refusal};

/// Makes the patient restricted or not, if the version is one that is expected; the version that
/// they have then. Whoever may do this sees all patients.
pub(crate) async fn restrict(
    database: &Database,
    access: &Access<'_>,
    change: Change<'_>,
    restricted: bool,
) -> Result<Outcome<i64>, Fault> {
    let [among, besides] = database::versions(change.expected);
    let restricted = ParameterValue::Boolean(restricted);
    let values = [database::uuid(change.id), restricted, access.trace(), among, besides];
    let rows = database.query(include_str!("restrict.sql"), access.values(values)).await?;
    match rows.first() {
        None => Ok(Err(Refusal::NotFound)),
        Some(row) if row.get(1)? => Ok(Err(Refusal::Stale)),
        Some(row) => Ok(Ok(row.bigint(0)?)),
    }
}
