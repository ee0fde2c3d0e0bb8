//! Deleting a patient: the row stays, and is seen no more.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use kit::etag::Expected;
use spin_sdk::pg::ParameterValue;

use super::Outcome;
use super::refusal::{self, Attempt};

/// Deletes the patient if its version is one that is expected.
pub(crate) async fn delete(
    database: &Database,
    access: &Access<'_>,
    id: &str,
    expected: &Expected,
) -> Result<Outcome<()>, Fault> {
    let [among, besides] = database::versions(expected);
    let values = access.values([database::uuid(id), among, besides, access.trace()]);
    let rows = database.query(include_str!("delete.sql"), values).await?;
    if !rows.is_empty() {
        return Ok(Ok(()));
    }
    let nothing = [ParameterValue::DbNull, ParameterValue::DbNull];
    let attempt = Attempt {
        action: "DELETE",
        id,
        expected,
        dates: nothing,
        kept: None,
        email: ParameterValue::DbNull,
    };
    refusal::find_out(database, access, attempt).await.map(Err)
}
