//! Replacing a patient.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::{Outcome, Refusal, is_email_taken, refusal};
use crate::model::{Patient, fold_name};
use crate::validate::Draft;

/// Replaces the patient if its version is among `versions` (`None`: whatever it is).
///
/// The comparison is part of the UPDATE: of two writers that expect one version, the second waits
/// for the first one's row lock, sees the new version and changes nothing.
pub(crate) async fn replace(
    database: &Database,
    access: &Access<'_>,
    id: &str,
    draft: &Draft,
    versions: Option<Vec<i64>>,
) -> Result<Outcome<Patient>, Fault> {
    let versions = database::versions(versions.as_deref());
    let registered = draft.registered_date.map_or(ParameterValue::DbNull, ParameterValue::from);
    let values = access.values([
        database::uuid(id),
        database::text(&draft.name),
        database::text(&fold_name(&draft.name)),
        database::text(&draft.email),
        database::text(&draft.address),
        draft.date_of_birth.into(),
        versions.clone(),
        registered.clone(),
        access.trace(),
    ]);
    let rows = match database.query(include_str!("replace.sql"), values).await {
        Err(fault) if is_email_taken(&fault) => {
            refusal::note_conflict(database, access, id).await?;
            return Ok(Err(Refusal::EmailTaken));
        }
        other => other?,
    };
    match rows.first() {
        Some(row) => Ok(Ok(Patient::from_row(row)?)),
        None => {
            refusal::find_out(database, access, "UPDATE", id, [versions, registered]).await.map(Err)
        }
    }
}
