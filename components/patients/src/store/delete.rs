//! Deleting a patient: the row stays, and is seen no more.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::refusal::{self, Attempt};
use super::{Change, Outcome};

/// Deletes the patient if its version is one that is expected.
pub(crate) async fn delete(
    database: &Database,
    access: &Access<'_>,
    change: Change<'_>,
) -> Result<Outcome<()>, Fault> {
    let [among, besides] = database::versions(change.expected);
    let (id, sight) = (database::uuid(change.id), change.sight.restricted());
    let values = access.values([id, among, besides, access.trace(), sight]);
    let rows = database.query(include_str!("delete.sql"), values).await?;
    if !rows.is_empty() {
        return Ok(Ok(()));
    }
    let nothing = [ParameterValue::DbNull, ParameterValue::DbNull];
    let attempt = Attempt {
        action: "DELETE",
        change,
        dates: nothing,
        kept: None,
        email: ParameterValue::DbNull,
    };
    refusal::find_out(database, access, attempt).await.map(Err)
}
