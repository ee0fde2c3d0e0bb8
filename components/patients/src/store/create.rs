//! Creating a patient.

use chrono::NaiveDate;
use kit::audit::Access;
use kit::database::{self, Database, Fault};

use super::{Outcome, Refusal};
use crate::model::{Patient, fold_name};
use crate::validate::Draft;

/// Stores a new patient, registered `today` unless the draft says when. Whether the e-mail address
/// is free is for the unique index to say: of two writers racing for one, it lets one through. The
/// other inserts nothing rather than failing, because a server may log its errors with the values.
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
        draft.registered(today).into(),
        access.trace(),
    ]);
    let rows = database.query(include_str!("create.sql"), values).await?;
    let made = rows.first().map(Patient::from_row).transpose()?;
    Ok(made.ok_or(Refusal::EmailTaken))
}
