//! Opening and closing accounts: as often as anybody likes, with one effect.

use kit::audit::Access;
use kit::database::{self, Database, Fault};

use super::first;
use crate::model::Account;
use crate::service::Kept;

/// Opens an account, unless the patient has one. The unique index on the patient's id lets one of
/// many writers through; the others wait for it and read what it wrote, in a second statement,
/// because the first one's snapshot is older than that.
pub(crate) async fn open(
    database: &Database,
    access: &Access<'_>,
    patient_id: &str,
    currency: &str,
) -> Result<Kept<Account>, Fault> {
    let values = access.values([database::uuid(patient_id), database::text(currency)]);
    let rows = database.query(include_str!("open.sql"), values).await?;
    match rows.first() {
        Some(row) => Ok(Kept { value: Account::from_row(row)?, new: true }),
        None => {
            let value = existing(database, access, patient_id, "OPEN").await?;
            Ok(Kept { value, new: false })
        }
    }
}

/// Closes the account, or makes one that is closed. One that is closed already stays as it is.
pub(crate) async fn close(
    database: &Database,
    access: &Access<'_>,
    patient_id: &str,
    currency: &str,
) -> Result<Account, Fault> {
    let values = access.values([database::uuid(patient_id), database::text(currency)]);
    let rows = database.query(include_str!("close.sql"), values).await?;
    match rows.first() {
        Some(row) => Account::from_row(row),
        None => existing(database, access, patient_id, "CLOSE").await,
    }
}

/// The account that was in the way. Accounts are never removed, so there is one.
async fn existing(
    database: &Database,
    access: &Access<'_>,
    patient_id: &str,
    action: &str,
) -> Result<Account, Fault> {
    let values = access.values([database::uuid(patient_id), database::text(action)]);
    let rows = database.query(include_str!("existing.sql"), values).await?;
    Account::from_row(first(&rows)?)
}
