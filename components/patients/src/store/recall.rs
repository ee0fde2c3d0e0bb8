//! The answer to a request that came with a key which was used before.

use kit::audit::Access;
use kit::database::{Database, Fault, Row};
use kit::date;
use kit::idempotency::Key;

use super::create::{Made, ids};
use super::{Outcome, Refusal};
use crate::model::Patient;
use crate::sight::Sight;
use crate::validate::Draft;

/// What a request was answered that came with this key and created somebody; or why this one, which
/// came with it as well, creates nobody. Nothing of an answer is kept: the same document makes the
/// same patient, whatever has become of them.
pub(super) async fn recall(
    database: &Database,
    access: &Access<'_>,
    draft: &Draft,
    key: &Key,
    sight: Sight,
) -> Result<Outcome<Made>, Fault> {
    let values = access.values(key.parameters().into_iter().chain([sight.restricted()]));
    let rows = database.query(include_str!("recall.sql"), values).await?;
    match rows.first() {
        // The key is not why nobody was created.
        None => Ok(Err(Refusal::EmailTaken)),
        Some(row) if row.get(0)? => Ok(Ok(made(row, draft)?)),
        Some(_) => Ok(Err(Refusal::KeyReused)),
    }
}

/// From a row of: whether it is the same request, the patient's id, ids of earlier ones, when the
/// patient was created, and the date of registration.
fn made(row: &Row, draft: &Draft) -> Result<Made, Fault> {
    let created_at = date::format_instant(row.instant(3)?);
    let patient = Patient {
        id: row.uuid(1)?,
        name: draft.name.clone(),
        email: draft.email.clone(),
        address: draft.address.clone(),
        date_of_birth: date::format(draft.date_of_birth),
        registered_date: date::format(draft.registered(row.date(4)?)),
        version: 1,
        updated_at: created_at.clone(),
        created_at,
        restricted: false,
    };
    Ok(Made { patient, earlier: ids(&row.text(2)?), again: true })
}
