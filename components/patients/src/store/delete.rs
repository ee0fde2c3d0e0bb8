//! Deleting a patient: the row stays, and is seen no more.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::{Outcome, refusal};

/// Deletes the patient if its version is among `versions` (`None`: whatever it is).
pub(crate) async fn delete(
    database: &Database,
    access: &Access<'_>,
    id: &str,
    versions: Option<Vec<i64>>,
) -> Result<Outcome<()>, Fault> {
    let versions = database::versions(versions.as_deref());
    let values = access.values([database::uuid(id), versions.clone(), access.trace()]);
    let rows = database.query(include_str!("delete.sql"), values).await?;
    if !rows.is_empty() {
        return Ok(Ok(()));
    }
    let conditions = [versions, ParameterValue::DbNull];
    refusal::find_out(database, access, "DELETE", id, conditions).await.map(Err)
}
