//! Creating a patient.

use chrono::NaiveDate;
use kit::audit::Access;
use kit::database::{self, Database, Fault, Row};
use kit::email::Rule;
use kit::idempotency::{self, Key};

use super::address;
use super::recall::recall;
use super::{Outcome, Refusal};
use crate::model::{Patient, fold_name};
use crate::sight::Sight;
use crate::validate::Draft;

/// A patient who was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) patient: Patient,
    /// The ids of deleted patients who were probably the same person, the last one first.
    pub(crate) earlier: Vec<String>,
    /// Whether that was before, and this request is the same once more.
    pub(crate) again: bool,
}

impl Made {
    /// Reads a row of the statement: a patient's columns, and the ids with commas between.
    fn from_row(row: &Row) -> Result<Self, Fault> {
        let earlier = ids(&row.text(10)?);
        Ok(Self { patient: Patient::from_row(row)?, earlier, again: false })
    }
}

/// The index that two requests with one key would break.
const KEY_INDEX: &str = "idempotency_pkey";

/// Ids with commas between.
pub(super) fn ids(text: &str) -> Vec<String> {
    text.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// Stores a new patient, registered `today` unless the draft says when. Whether the e-mail address
/// is free is for the unique index to say: of two writers racing for one, it lets one through. The
/// other inserts nothing rather than failing, because a server may log its errors with the values.
/// With a key, the same request is answered the same once more, and creates nobody. Earlier
/// patients are named who are seen.
pub(crate) async fn create(
    database: &Database,
    access: &Access<'_>,
    draft: &Draft,
    (rule, today): (Rule, NaiveDate),
    key: Option<&Key>,
    sight: Sight,
) -> Result<Outcome<Made>, Fault> {
    let [email, shared_email] = address::columns(rule, draft.email.as_deref());
    let values = [
        database::text(&draft.name),
        database::text(&fold_name(&draft.name)),
        email,
        database::text(&draft.address),
        draft.date_of_birth.into(),
        draft.registered(today).into(),
        access.trace(),
        shared_email,
    ];
    let keyed = key.map_or_else(idempotency::none, Key::parameters);
    let values = access.values(values.into_iter().chain(keyed).chain([sight.restricted()]));
    let rows = match database.query(include_str!("create.sql"), values).await {
        // Another request with the key came first, a moment ago.
        Err(Fault::Duplicate(index)) if index == KEY_INDEX => Vec::new(),
        rows => rows?,
    };
    match (rows.first().map(Made::from_row).transpose()?, key) {
        (Some(made), _) => Ok(Ok(made)),
        (None, Some(key)) => recall(database, access, draft, key, sight).await,
        (None, None) => Ok(Err(Refusal::EmailTaken)),
    }
}
