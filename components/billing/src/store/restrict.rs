//! Who is restricted, as the events of patients say it.

use kit::database::{Database, Fault};
use spin_sdk::pg::ParameterValue;

/// What one version of a patient says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restriction {
    pub(crate) patient_id: String,
    pub(crate) version: i64,
    pub(crate) restricted: bool,
}

/// Takes up what these versions say, where nothing later is known.
pub(crate) async fn restrict_all(
    database: &Database,
    restrictions: &[Restriction],
) -> Result<(), Fault> {
    let patients = restrictions.iter().map(|it| Some(it.patient_id.clone())).collect();
    let versions = restrictions.iter().map(|it| Some(it.version)).collect();
    let flags = restrictions.iter().map(|it| Some(it.restricted.to_string())).collect();
    let values = vec![
        ParameterValue::ArrayStr(patients),
        ParameterValue::ArrayInt64(versions),
        ParameterValue::ArrayStr(flags),
    ];
    database.execute(include_str!("restrict.sql"), values).await
}
