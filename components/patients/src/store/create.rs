//! Creating a patient.

use chrono::NaiveDate;
use kit::database::{self, Database, Fault};

use super::{Access, Outcome, Refusal, is_email_taken, refusal};
use crate::model::{Patient, fold_name};
use crate::validate::Draft;

/// Stores a new patient, registered `today` unless the draft says when. Whether the e-mail address
/// is free is for the unique index to say: of two writers racing for one, it lets one through.
pub(crate) async fn create(
    database: &Database,
    access: &Access<'_>,
    draft: &Draft,
    today: NaiveDate,
) -> Result<Outcome<Patient>, Fault> {
    let values = access.values([
        database::text(&draft.name),
        database::text(&fold_name(&draft.name)),
        database::text(&draft.email),
        database::text(&draft.address),
        draft.date_of_birth.into(),
        draft.registered_date.unwrap_or(today).into(),
    ]);
    match database.query(include_str!("create.sql"), values).await {
        Ok(rows) => {
            let row = rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?;
            Ok(Ok(Patient::from_row(row)?))
        }
        Err(fault) if is_email_taken(&fault) => {
            refusal::note_conflict(database, access, "CREATE", None).await?;
            Ok(Err(Refusal::EmailTaken))
        }
        Err(fault) => Err(fault),
    }
}
