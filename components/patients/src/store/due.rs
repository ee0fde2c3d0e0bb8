//! What billing has still to be told. Rows are written by triggers, in the statement that creates
//! or deletes a patient; here they are taken up, and removed once billing has heard.

use kit::database::{Database, Fault, Row};
use spin_sdk::pg::ParameterValue;

use crate::model::Patient;

/// Something to tell billing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) patient_id: String,
    pub(crate) wanted: Wanted,
}

/// What billing shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Open an account.
    Open {
        /// The patient's name.
        name: String,
        /// The patient's e-mail address.
        email: String,
    },
    /// Close it.
    Close,
}

impl Due {
    /// An account for a patient who was just created.
    pub(crate) fn open(patient: &Patient) -> Self {
        let (name, email) = (patient.name.clone(), patient.email.clone());
        Self { patient_id: patient.id.clone(), wanted: Wanted::Open { name, email } }
    }

    /// No account any more for a patient who was just deleted.
    pub(crate) fn close(patient_id: &str) -> Self {
        Self { patient_id: patient_id.to_owned(), wanted: Wanted::Close }
    }

    /// Reads a row of: patient_id, wanted, name, email.
    fn from_row(row: &Row) -> Result<Self, Fault> {
        let wanted = match row.text(1)?.as_str() {
            "OPEN" => Wanted::Open { name: row.text(2)?, email: row.text(3)? },
            "CLOSE" => Wanted::Close,
            _ => return Err(Fault::Other("wanted".to_owned())),
        };
        Ok(Self { patient_id: row.uuid(0)?, wanted })
    }

    fn word(&self) -> &'static str {
        match self.wanted {
            Wanted::Open { .. } => "OPEN",
            Wanted::Close => "CLOSE",
        }
    }
}

/// Takes up at most `limit` notes that are due. They are not due again before their pause is over,
/// which is the lease under which they are worked on: rows that another replica is taking up at
/// this moment are passed over.
pub(crate) async fn take(database: &Database, limit: i64) -> Result<Vec<Due>, Fault> {
    let values = vec![ParameterValue::Int64(limit)];
    let rows = database.query(include_str!("due_take.sql"), values).await?;
    rows.iter().map(Due::from_row).collect()
}

/// Removes what billing has heard. A note that has come to say something else meanwhile stays.
pub(crate) async fn settle(database: &Database, heard: &[Due]) -> Result<(), Fault> {
    if heard.is_empty() {
        return Ok(());
    }
    let column = |read: fn(&Due) -> &str| {
        let texts: Vec<String> = heard.iter().map(|due| read(due).to_owned()).collect();
        ParameterValue::from(texts)
    };
    let values = vec![column(|due| &due.patient_id), column(|due| due.word())];
    database.execute(include_str!("due_settle.sql"), values).await?;
    Ok(())
}

/// How many notes there are, due or not; at most ten thousand are counted.
pub(crate) async fn count(database: &Database) -> Result<u32, Fault> {
    let rows = database.query(include_str!("due_count.sql"), Vec::new()).await?;
    let row = rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?;
    u32::try_from(row.bigint(0)?).map_err(|_| Fault::Other("count".to_owned()))
}
