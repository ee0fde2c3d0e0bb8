//! An event as clients see it: what happened to which patient and when, and nothing of who that is.

use kit::database::{Fault, Row};
use kit::date;
use serde::Serialize;

/// An applied event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Its place in the order in which events were applied.
    pub(crate) sequence: i64,
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    id: String,
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    pub(crate) patient_id: String,
    version: i64,
    r#type: String,
    /// RFC 3339, in UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    occurred_at: String,
    /// When it was applied; RFC 3339, in UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    received_at: String,
}

impl Event {
    /// Reads a row of: seq, id, patient_id, version, type, and occurred_at and received_at in UTC.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            sequence: row.bigint(0)?,
            id: row.uuid(1)?,
            patient_id: row.uuid(2)?,
            version: row.bigint(3)?,
            r#type: row.text(4)?,
            occurred_at: date::format_instant(row.instant(5)?),
            received_at: date::format_instant(row.instant(6)?),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn event(sequence: i64) -> Event {
        Event {
            sequence,
            id: "00000000-0000-0000-0000-000000000001".to_owned(),
            patient_id: "123e4567-e89b-12d3-a456-426614174000".to_owned(),
            version: 1,
            r#type: "PATIENT_CREATED".to_owned(),
            occurred_at: "2024-01-01T00:00:00.000000Z".to_owned(),
            received_at: "2024-01-01T00:00:00.005000Z".to_owned(),
        }
    }

    #[test]
    fn events_look_as_documented() {
        let expected = serde_json::json!({
            "sequence": 7,
            "id": "00000000-0000-0000-0000-000000000001",
            "patientId": "123e4567-e89b-12d3-a456-426614174000",
            "version": 1,
            "type": "PATIENT_CREATED",
            "occurredAt": "2024-01-01T00:00:00.000000Z",
            "receivedAt": "2024-01-01T00:00:00.005000Z",
        });
        assert_eq!(serde_json::to_value(event(7)).unwrap(), expected);
    }
}
