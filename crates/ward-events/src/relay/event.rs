//! From an outbox row to a record: the value is the event's WIT record as protobuf, the headers are
//! CloudEvents' in binary mode, the key is the aggregate's id.
//!
//! The mapping has one rule. The payload's keys are the record's fields by their JSON names; the
//! row's own columns fill the fields of these names, whatever the payload has there: `eventId`
//! (id), `eventType` (type), `version` (aggregate_version), `occurredAt` (occurred_at), and the
//! field that the manifest calls `key` (aggregate_id). Keys of the payload that the record has no
//! field for stay behind: what a service notes for itself is not what its contract tells others.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::log::{ERASES, Headers, Outgoing};

/// Turns an event, as JSON by proto3's names, into its record's bytes.
pub trait EncodeEvent: Send + Sync {
    /// The JSON names of the record's fields.
    fn fields(&self) -> BTreeSet<String>;

    /// The bytes, or why there are none, in words that quote no value.
    fn encode(&self, event: &Value) -> Result<Vec<u8>, String>;
}

/// One row of an outbox table.
#[derive(Debug, Clone)]
pub(crate) struct OutboxRow {
    pub(crate) id: Uuid,
    pub(crate) aggregate: Uuid,
    pub(crate) version: i64,
    pub(crate) kind: String,
    pub(crate) payload: Value,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) traceparent: Option<String>,
}

/// How rows of one outbox become records.
pub(crate) struct Mapping {
    encoder: Arc<dyn EncodeEvent>,
    fields: BTreeSet<String>,
    /// The JSON name of the field with the aggregate's id.
    key: String,
    source: String,
    /// Types of events that erase.
    erased_by: BTreeSet<String>,
}

impl Mapping {
    /// `key` is the field's name in WIT.
    pub(crate) fn new(encoder: Arc<dyn EncodeEvent>, key: &str, source: &str) -> Mapping {
        let (fields, erased_by) = (encoder.fields(), BTreeSet::new());
        Mapping { encoder, fields, key: json_name(key), source: source.to_owned(), erased_by }
    }

    /// The same, where events of these types erase what was said of their aggregate.
    pub(crate) fn erased_by(self, erased_by: BTreeSet<String>) -> Mapping {
        Mapping { erased_by, ..self }
    }

    /// The record of a row, or why it can have none.
    pub(crate) fn record(&self, row: &OutboxRow) -> Result<Outgoing, String> {
        let value = self.encoder.encode(&self.event(row)?)?;
        Ok(Outgoing {
            key: Some(row.aggregate.to_string().into_bytes()),
            value: Some(value),
            headers: self.headers(row),
        })
    }

    fn event(&self, row: &OutboxRow) -> Result<Value, String> {
        let Value::Object(payload) = &row.payload else {
            return Err("the payload is no JSON object".to_owned());
        };
        let known = |name: &&String| self.fields.contains(*name);
        let mut event: Map<String, Value> = payload
            .iter()
            .filter(|(name, value)| known(name) && !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let columns = [
            ("eventId", Value::from(row.id.to_string())),
            ("eventType", Value::from(row.kind.as_str())),
            // proto3's JSON writes 64-bit numbers as strings and takes either.
            ("version", Value::from(row.version.to_string())),
            ("occurredAt", Value::from(instant(row.occurred_at))),
            (self.key.as_str(), Value::from(row.aggregate.to_string())),
        ];
        for (name, value) in columns {
            if self.fields.contains(name) {
                event.insert(name.to_owned(), value);
            }
        }
        Ok(Value::Object(event))
    }

    fn headers(&self, row: &OutboxRow) -> Headers {
        let mut headers = vec![
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", row.id.to_string()),
            ("ce_type", row.kind.clone()),
            ("ce_source", self.source.clone()),
            ("ce_time", instant(row.occurred_at)),
            ("ce_subject", row.aggregate.to_string()),
            ("content-type", "application/protobuf".to_owned()),
        ];
        headers.extend(row.traceparent.clone().map(|trace| ("traceparent", trace)));
        headers.extend(self.erased_by.contains(&row.kind).then(|| (ERASES, "key".to_owned())));
        let header = |(name, value): (&str, String)| (name.to_owned(), Some(value.into_bytes()));
        headers.into_iter().map(header).collect()
    }
}

/// RFC 3339 in UTC, to the microsecond, as PostgreSQL keeps it.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// `order-id` as proto3's JSON writes it: `orderId`.
fn json_name(wit: &str) -> String {
    let mut words = wit.split('-');
    let mut name = words.next().unwrap_or_default().to_ascii_lowercase();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(&letters.as_str().to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{EncodeEvent, Mapping, OutboxRow, json_name};

    /// Writes the event down as it is.
    struct Plain(&'static [&'static str]);

    impl EncodeEvent for Plain {
        fn fields(&self) -> BTreeSet<String> {
            self.0.iter().map(|name| (*name).to_owned()).collect()
        }

        fn encode(&self, event: &Value) -> Result<Vec<u8>, String> {
            Ok(event.to_string().into_bytes())
        }
    }

    fn row(payload: Value) -> OutboxRow {
        OutboxRow {
            id: Uuid::from_u128(1),
            aggregate: Uuid::from_u128(2),
            version: 3,
            kind: "ORDER_PLACED".to_owned(),
            payload,
            occurred_at: "2026-01-02T03:04:05.000006Z".parse().unwrap(),
            traceparent: None,
        }
    }

    const FIELDS: &[&str] =
        &["orderId", "name", "eventType", "eventId", "version", "occurredAt", "dateOfBirth"];

    fn mapping(fields: &'static [&'static str]) -> Mapping {
        Mapping::new(Arc::new(Plain(fields)), "order-id", "/shop")
    }

    #[test]
    fn columns_fill_their_fields_and_strangers_stay_behind() {
        let payload = json!({"id": "x", "name": "Jane", "address": "y", "version": 99,
            "dateOfBirth": null});
        let record = mapping(FIELDS).record(&row(payload)).unwrap();
        let event: Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
        let expected = json!({
            "orderId": "00000000-0000-0000-0000-000000000002",
            "name": "Jane",
            "eventType": "ORDER_PLACED",
            "eventId": "00000000-0000-0000-0000-000000000001",
            "version": "3",
            "occurredAt": "2026-01-02T03:04:05.000006Z",
        });
        assert_eq!(event, expected);
        assert_eq!(record.key.unwrap(), b"00000000-0000-0000-0000-000000000002");
    }

    #[test]
    fn a_record_without_such_fields_gets_none() {
        let record = mapping(&["name"]).record(&row(json!({"name": "Jane"}))).unwrap();
        assert_eq!(record.value.unwrap(), br#"{"name":"Jane"}"#);
    }

    #[test]
    fn headers_are_those_of_cloudevents() {
        let mut row = row(json!({}));
        let names = |row: &OutboxRow| -> Vec<String> {
            let record = mapping(FIELDS).record(row).unwrap();
            record
                .headers
                .into_iter()
                .map(|(name, value)| {
                    format!("{name}={}", String::from_utf8(value.unwrap()).unwrap())
                })
                .collect()
        };
        let expected = [
            "ce_specversion=1.0",
            "ce_id=00000000-0000-0000-0000-000000000001",
            "ce_type=ORDER_PLACED",
            "ce_source=/shop",
            "ce_time=2026-01-02T03:04:05.000006Z",
            "ce_subject=00000000-0000-0000-0000-000000000002",
            "content-type=application/protobuf",
        ];
        assert_eq!(names(&row), expected);
        row.traceparent = Some("00-ab-cd-01".to_owned());
        assert_eq!(names(&row).last().unwrap(), "traceparent=00-ab-cd-01");
    }

    #[test]
    fn a_payload_that_is_no_object_has_no_record() {
        let reason = mapping(FIELDS).record(&row(json!(["Jane"]))).unwrap_err();
        assert_eq!(reason, "the payload is no JSON object");
    }

    #[test]
    fn names_in_json() {
        for (wit, json) in [("order-id", "orderId"), ("id", "id"), ("a-URL-of", "aUrlOf")] {
            assert_eq!(json_name(wit), json);
        }
    }
}
