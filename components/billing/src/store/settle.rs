//! Accounts for many patients at once: what events ask for. One statement a batch; what is as it
//! should be already is passed over, and leaves no audit row.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

/// What one event asks for: something about this patient's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The patient's id, in canonical form.
    pub(crate) patient_id: String,
    /// The event's id: what the audit row has in place of a request's.
    pub(crate) event_id: String,
}

/// Opens an account for each patient who has none.
pub(crate) async fn open_all(
    database: &Database,
    access: &Access<'_>,
    wishes: &[Wish],
    currency: &str,
) -> Result<(), Fault> {
    all(database, access, (wishes, currency), include_str!("open_all.sql")).await
}

/// Closes each of these accounts that is open, and makes a closed one where there is none.
pub(crate) async fn close_all(
    database: &Database,
    access: &Access<'_>,
    wishes: &[Wish],
    currency: &str,
) -> Result<(), Fault> {
    all(database, access, (wishes, currency), include_str!("close_all.sql")).await
}

async fn all(
    database: &Database,
    access: &Access<'_>,
    (wishes, currency): (&[Wish], &str),
    sql: &str,
) -> Result<(), Fault> {
    if wishes.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Wish) -> &str| {
        ParameterValue::ArrayStr(wishes.iter().map(|wish| Some(of(wish).to_owned())).collect())
    };
    let values = [column(|wish| &wish.patient_id), column(|wish| &wish.event_id)];
    let values = access.values(values.into_iter().chain([database::text(currency)]));
    database.execute(sql, values).await?;
    Ok(())
}
