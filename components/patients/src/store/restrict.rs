//! Restricting a patient, and releasing them: as often as anybody likes, with one effect.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

/// Makes the patient restricted or not; the version that they have then. `None` if there is no such
/// patient.
pub(crate) async fn restrict(
    database: &Database,
    access: &Access<'_>,
    id: &str,
    restricted: bool,
) -> Result<Option<i64>, Fault> {
    let restricted = ParameterValue::Boolean(restricted);
    let values = access.values([database::uuid(id), restricted, access.trace()]);
    let rows = database.query(include_str!("restrict.sql"), values).await?;
    rows.first().map(|row| row.bigint(0)).transpose()
}
