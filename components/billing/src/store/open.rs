//! Opening and closing accounts: as often as anybody likes, with one effect. One statement does it
//! for one patient or for many; what is as it should be already is passed over.

use std::collections::HashMap;

use kit::audit::Access;
use kit::database::{self, Database, Fault, Row};
use spin_sdk::pg::ParameterValue;

use super::Viewer;
use crate::model::Account;

/// What is asked for about one patient's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The patient's id, in canonical form.
    pub(crate) patient_id: String,
    /// The id of the event that asks: what the audit row has where there is no request.
    pub(crate) event_id: Option<String>,
    /// The trace that this belongs to.
    pub(crate) traceparent: Option<String>,
}

/// Opens an account, unless the patient has one. The unique index on the patient's id lets one of
/// many writers through; the others wait for it and read what it wrote, in a second statement,
/// because the first one's snapshot is older than that.
pub(crate) async fn open(
    database: &Database,
    access: &Access<'_>,
    patient_id: &str,
    currency: &str,
) -> Result<Account, Fault> {
    let made = open_all(database, access, &[Wish::of(patient_id, access)], currency).await?;
    match made.first() {
        Some(row) => Account::from_row(row),
        None => in_the_way(database, access, patient_id, "OPEN").await,
    }
}

/// Closes the account, or makes one that is closed. One that is closed already stays as it is.
pub(crate) async fn close(
    database: &Database,
    access: &Access<'_>,
    patient_id: &str,
    currency: &str,
) -> Result<Account, Fault> {
    let made = close_all(database, access, &[Wish::of(patient_id, access)], currency).await?;
    match made.first() {
        Some(row) => Account::from_row(row),
        None => in_the_way(database, access, patient_id, "CLOSE").await,
    }
}

/// Opens an account for each patient who has none; the rows of those that were made.
pub(crate) async fn open_all(
    database: &Database,
    access: &Access<'_>,
    wishes: &[Wish],
    currency: &str,
) -> Result<Vec<Row>, Fault> {
    database.query(include_str!("open.sql"), values(access, wishes, currency)).await
}

/// Closes each of these accounts that is open, and makes a closed one where there is none; the rows
/// of those that changed.
pub(crate) async fn close_all(
    database: &Database,
    access: &Access<'_>,
    wishes: &[Wish],
    currency: &str,
) -> Result<Vec<Row>, Fault> {
    database.query(include_str!("close.sql"), values(access, wishes, currency)).await
}

/// Which of these patients have an account, and whether it is closed. Both stay true once they are:
/// no account is removed, and none that is closed is opened again. It is nobody's look at an
/// account, so that no audit row comes of it.
pub(crate) async fn known(
    database: &Database,
    patient_ids: Vec<String>,
) -> Result<HashMap<String, bool>, Fault> {
    let patients = ParameterValue::ArrayStr(patient_ids.into_iter().map(Some).collect());
    let rows = database.query(include_str!("known.sql"), vec![patients]).await?;
    rows.iter().map(|row| Ok((row.uuid(0)?, row.get(1)?))).collect()
}

fn values(access: &Access<'_>, wishes: &[Wish], currency: &str) -> Vec<ParameterValue> {
    let patients = wishes.iter().map(|wish| Some(wish.patient_id.clone())).collect();
    let events = wishes.iter().map(|wish| wish.event_id.clone()).collect();
    let traces = wishes.iter().map(|wish| wish.traceparent.clone()).collect();
    access.values([
        ParameterValue::ArrayStr(patients),
        ParameterValue::ArrayStr(events),
        ParameterValue::ArrayStr(traces),
        database::text(currency),
    ])
}

impl Wish {
    /// What a request asks for.
    fn of(patient_id: &str, access: &Access<'_>) -> Self {
        let traceparent = access.traceparent.map(str::to_owned);
        Self { patient_id: patient_id.to_owned(), event_id: None, traceparent }
    }
}

/// The account that was in the way. Accounts are never removed, so there is one.
async fn in_the_way(
    database: &Database,
    access: &Access<'_>,
    patient_id: &str,
    action: &str,
) -> Result<Account, Fault> {
    let viewer = Viewer { access: *access, sees_restricted: true };
    let found = existing(database, &viewer, patient_id, action).await?;
    found.ok_or_else(|| Fault::Other("no-row".to_owned()))
}

/// The account that the patient has, for an action (`OPEN`, `CLOSE`) that changes nothing. Asking
/// for one that is not there, or to close one that is open, leaves its audit row too.
pub(crate) async fn existing(
    database: &Database,
    viewer: &Viewer<'_>,
    patient_id: &str,
    action: &str,
) -> Result<Option<Account>, Fault> {
    let values = viewer.values([database::uuid(patient_id), database::text(action)]);
    let rows = database.query(include_str!("existing.sql"), values).await?;
    rows.first().map(Account::from_row).transpose()
}
