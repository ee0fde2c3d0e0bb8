//! Replacing a patient.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use kit::email::Rule;
use spin_sdk::pg::ParameterValue;

use super::address;
use super::refusal::{self, Attempt};
use super::{Change, Outcome, Refusal, is_email_taken};
use crate::model::{Patient, fold_name};
use crate::validate::Replacement;

/// Replaces the patient if its version is one that is expected, and if what the document repeats
/// of what cannot be changed is as it is.
///
/// The comparisons are part of the UPDATE: of two writers that expect one version, the second
/// waits for the first one's row lock, sees the new version and changes nothing.
pub(crate) async fn replace(
    database: &Database,
    access: &Access<'_>,
    change: Change<'_>,
    replacement: &Replacement,
    rule: Rule,
) -> Result<Outcome<Patient>, Fault> {
    let Replacement { draft, kept } = replacement;
    let [email, shared_email] = address::columns(rule, draft.email.as_deref());
    let [among, besides] = database::versions(change.expected);
    let registered = draft.registered_date.map_or(ParameterValue::DbNull, ParameterValue::from);
    let born = ParameterValue::from(draft.date_of_birth);
    let values = access.values(
        [
            database::uuid(change.id),
            database::text(&draft.name),
            database::text(&fold_name(&draft.name)),
            email.clone(),
            database::text(&draft.address),
            born.clone(),
            among,
            besides,
            registered.clone(),
            access.trace(),
        ]
        .into_iter()
        .chain(kept.parameters())
        .chain([shared_email, change.sight.restricted()]),
    );
    let rows = match database.query(include_str!("replace.sql"), values).await {
        Err(fault) if is_email_taken(&fault) => {
            refusal::note_conflict(database, access, change.id).await?;
            return Ok(Err(Refusal::EmailTaken));
        }
        other => other?,
    };
    match rows.first() {
        Some(row) => Ok(Ok(Patient::from_row(row)?)),
        None => {
            let dates = [born, registered];
            let attempt = Attempt { action: "UPDATE", change, dates, kept: Some(kept), email };
            refusal::find_out(database, access, attempt).await.map(Err)
        }
    }
}
