//! Reading one account. Looking for one that is not there leaves its audit row too.

use kit::database::{self, Database, Fault};

use super::Viewer;
use crate::model::Account;

/// The account with this id.
pub(crate) async fn read(
    database: &Database,
    viewer: &Viewer<'_>,
    id: &str,
) -> Result<Option<Account>, Fault> {
    let values = viewer.values([database::uuid(id)]);
    let rows = database.query(include_str!("read.sql"), values).await?;
    rows.first().map(Account::from_row).transpose()
}

/// The account of this patient.
pub(crate) async fn read_of_patient(
    database: &Database,
    viewer: &Viewer<'_>,
    patient_id: &str,
) -> Result<Option<Account>, Fault> {
    let values = viewer.values([database::uuid(patient_id)]);
    let rows = database.query(include_str!("read_patient.sql"), values).await?;
    rows.first().map(Account::from_row).transpose()
}
