//! Reading one patient.

use kit::audit::Access;
use kit::database::{self, Database, Fault};

use crate::model::Patient;
use crate::sight::Sight;

/// The living patient with this id, if they are seen. Looking for one that is not there leaves its
/// audit row too.
pub(crate) async fn read(
    database: &Database,
    access: &Access<'_>,
    id: &str,
    sight: Sight,
) -> Result<Option<Patient>, Fault> {
    let values = access.values([database::uuid(id), sight.restricted(), sight.reason()]);
    let rows = database.query(include_str!("read.sql"), values).await?;
    rows.first().map(Patient::from_row).transpose()
}
