//! Creating a patient.

use chrono::NaiveDate;
use kit::audit::Access;
use kit::database::{self, Database, Fault, Row};
use kit::email::Rule;

use super::address;
use super::{Outcome, Refusal};
use crate::model::{Patient, fold_name};
use crate::validate::Draft;

/// A patient who was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) patient: Patient,
    /// The ids of deleted patients who were probably the same person, the last one first.
    pub(crate) earlier: Vec<String>,
}

impl Made {
    /// Reads a row of the statement: a patient's columns, and the ids with commas between.
    fn from_row(row: &Row) -> Result<Self, Fault> {
        let ids = row.text(10)?;
        let earlier = ids.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        Ok(Self { patient: Patient::from_row(row)?, earlier })
    }
}

/// Stores a new patient, registered `today` unless the draft says when. Whether the e-mail address
/// is free is for the unique index to say: of two writers racing for one, it lets one through. The
/// other inserts nothing rather than failing, because a server may log its errors with the values.
pub(crate) async fn create(
    database: &Database,
    access: &Access<'_>,
    draft: &Draft,
    rule: Rule,
    today: NaiveDate,
) -> Result<Outcome<Made>, Fault> {
    let [email, shared_email] = address::columns(rule, draft.email.as_deref());
    let values = access.values([
        database::text(&draft.name),
        database::text(&fold_name(&draft.name)),
        email,
        database::text(&draft.address),
        draft.date_of_birth.into(),
        draft.registered(today).into(),
        access.trace(),
        shared_email,
    ]);
    let rows = database.query(include_str!("create.sql"), values).await?;
    let made = rows.first().map(Made::from_row).transpose()?;
    Ok(made.ok_or(Refusal::EmailTaken))
}
