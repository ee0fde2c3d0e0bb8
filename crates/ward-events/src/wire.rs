//! Where events meet their contract: JSON to protobuf for the relay, protobuf to WIT values for the
//! trigger, and the shape that a consumer's function has to have:
//!
//! ```wit
//! record position { topic: string, partition: s32, offset: s64, key: string,
//!                   headers: list<tuple<string, string>> }
//! record delivery { position: position, event: <the event's record> }
//! variant outcome { done, retry(u32), reject(string) }
//! consume: async func(deliveries: list<delivery>) -> list<outcome>;
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use ward_wire::{Contract, Message, Naming, Value};

use crate::limits;
use crate::log::Incoming;
use crate::relay::EncodeEvent;
use crate::trigger::Outcome;

/// What a delivery's fields are called, in their order.
const DELIVERY: [&str; 2] = ["position", "event"];
/// What a position's fields are called, in their order.
const POSITION: [&str; 5] = ["topic", "partition", "offset", "key", "headers"];

/// The record of an event as a message: bytes, JSON, values.
#[derive(Debug, Clone)]
pub struct EventType {
    message: Message,
    fields: BTreeSet<String>,
}

impl EventType {
    /// The record `record` of `interface`.
    pub fn derive(contract: &Contract, interface: &str, record: &str) -> Result<EventType, String> {
        let message = derive(contract, interface, record)?;
        let fields = fields(&message).into_iter().map(|field| field.json).collect();
        Ok(EventType { message, fields })
    }

    /// The record that a consumer's interface takes, after a look at the whole shape. `function` is
    /// the one that is called.
    pub fn of_consumer(
        contract: &Contract,
        interface: &str,
        function: &str,
    ) -> Result<EventType, String> {
        if !contract.functions(interface).iter().any(|name| name == function) {
            return Err(format!("{interface} has no function `{function}`"));
        }
        let delivery = fields(&derive(contract, interface, "delivery")?);
        let position = fields(&derive(contract, interface, "position")?);
        same_names(interface, "delivery", &delivery, &DELIVERY)?;
        same_names(interface, "position", &position, &POSITION)?;
        let wanted = delivery.last().map(|field| field.type_name.clone()).unwrap_or_default();
        // It may be declared here or be used from another interface.
        let records = |interface: String| {
            let records = contract.records(&interface);
            records.into_iter().map(move |record| (interface.clone(), record))
        };
        for (interface, record) in contract.interfaces().into_iter().flat_map(records) {
            if let Ok(event) = EventType::derive(contract, &interface, &record)
                && wanted.strip_prefix('.') == Some(event.message.full_name())
            {
                return Ok(event);
            }
        }
        Err(format!("{interface}: the field `event` of `delivery` is no record"))
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Reads an event; the reason names a field, never a value.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<Value, String> {
        self.message.decode(bytes).map_err(|error| error.to_string())
    }
}

impl EncodeEvent for EventType {
    fn fields(&self) -> BTreeSet<String> {
        self.fields.clone()
    }

    fn encode(&self, event: &serde_json::Value) -> Result<Vec<u8>, String> {
        let value = self.message.from_json(event).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        self.message.encode(&value, &mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

fn derive(contract: &Contract, interface: &str, record: &str) -> Result<Message, String> {
    Message::derive(contract, interface, record, &Naming::default()).map_err(|refusals| {
        let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        match lines.is_empty() {
            true => format!("{interface} has no record `{record}`"),
            false => lines.join("; "),
        }
    })
}

struct Field {
    name: String,
    json: String,
    type_name: String,
}

/// The fields of a message in order of their numbers, which is that of declaration.
fn fields(message: &Message) -> Vec<Field> {
    let name = message.full_name();
    let set = message.file_descriptor_set();
    let mut found = Vec::new();
    for file in &set.file {
        let package = file.package();
        for own in &file.message_type {
            let full = if package.is_empty() {
                own.name().to_owned()
            } else {
                format!("{package}.{}", own.name())
            };
            if full == name {
                found.extend(own.field.iter().map(|field| Field {
                    name: field.name().to_owned(),
                    json: field.json_name().to_owned(),
                    type_name: field.type_name().to_owned(),
                }));
            }
        }
    }
    found
}

fn same_names(
    interface: &str,
    record: &str,
    fields: &[Field],
    expected: &[&str],
) -> Result<(), String> {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    if names == expected {
        return Ok(());
    }
    let expected = expected.join(", ");
    Err(format!(
        "{interface}: the record `{record}` must have the fields {expected}, in this order"
    ))
}

/// A record and its event as a `delivery`. A key that is no UTF-8 is written as far as it is;
/// headers whose value is none are left out, as the contract says.
pub(crate) fn delivery(record: &Incoming, event: Value) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = record.headers.iter().filter_map(|(name, value)| {
        let value = String::from_utf8(value.clone().unwrap_or_default()).ok()?;
        Some(Value::Tuple(vec![Value::String(name.clone()), Value::String(value)]))
    });
    let position = Value::Record(vec![
        Value::String(record.topic.to_string()),
        Value::S32(record.partition),
        Value::S64(record.offset),
        Value::String(record.key.as_deref().map(text).unwrap_or_default()),
        Value::List(headers.collect()),
    ]);
    Value::Record(vec![position, event])
}

/// What a consumer's function returned, as outcomes.
pub(crate) fn outcomes(result: Value) -> Result<Vec<Outcome>, String> {
    let Value::List(items) = result else { return Err("it did not answer a list".to_owned()) };
    items.into_iter().map(outcome).collect()
}

fn outcome(value: Value) -> Result<Outcome, String> {
    match value {
        Value::Variant(0, None) => Ok(Outcome::Done),
        Value::Variant(1, Some(pause)) => match *pause {
            Value::U32(ms) => Ok(Outcome::Retry(Duration::from_millis(ms.into()))),
            _ => Err("it answered a retry without a number".to_owned()),
        },
        Value::Variant(2, Some(reason)) => match *reason {
            Value::String(reason) => Ok(Outcome::Reject(limits::reason(&reason))),
            _ => Err("it answered a rejection without a reason".to_owned()),
        },
        _ => Err("it answered what is no outcome".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use ward_wire::{Contract, Value};

    use super::{EventType, delivery, outcomes};
    use crate::log::Incoming;
    use crate::relay::EncodeEvent;
    use crate::trigger::Outcome;

    fn contract() -> Contract {
        let wit = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"));
        let packages = ["common", "billing", "patients"].map(|name| wit.join(name));
        Contract::from_directories(&packages).unwrap()
    }

    const CONSUMER: &str = "pms:patients/consumer@1.0.0";

    #[test]
    fn the_events_of_patients_are_those_of_the_original_system() {
        let event =
            EventType::derive(&contract(), "pms:patients/events@1.0.0", "patient-event").unwrap();
        let bytes = event
            .encode(&json!({"patientId": "p", "name": "n", "email": "e", "eventType": "t"}))
            .unwrap();
        assert_eq!(bytes, b"\x0a\x01p\x12\x01n\x1a\x01e\x22\x01t");
        assert!(event.fields().contains("occurredAt"));
        let given = json!({"patient_id": "p", "name": "", "email": null, "eventType": "t"});
        let missing = [
            "email",
            "eventId",
            "version",
            "occurredAt",
            "dateOfBirth",
            "registeredDate",
            "restricted",
        ];
        assert_eq!(event.message().missing(&given), missing);
        let why = event.encode(&json!({"name": 7})).unwrap_err();
        assert!(why.contains("name") && !why.contains('7'), "{why}");
    }

    #[test]
    fn a_consumers_event_is_found_by_its_shape() {
        let event = EventType::of_consumer(&contract(), CONSUMER, "consume").unwrap();
        assert!(event.message().full_name().ends_with("PatientEvent"));
        let value = event.decode(b"\x0a\x01p").unwrap();
        let Value::Record(fields) = value else { panic!("{value:?}") };
        assert_eq!(fields[0], Value::String("p".to_owned()));
    }

    #[test]
    fn other_shapes_are_refused_by_name() {
        let check = |interface: &str, function: &str, part: &str| {
            let error = EventType::of_consumer(&contract(), interface, function).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check(CONSUMER, "swallow", "has no function `swallow`");
        check("pms:billing/accounts@1.0.0", "get-account", "delivery");
        check("pms:patients/nothing@1.0.0", "consume", "has no function");
    }

    #[test]
    fn a_delivery_says_where_it_was_read() {
        let record = Incoming {
            topic: Arc::from("patient"),
            partition: 3,
            offset: 42,
            key: Some(b"k".to_vec()),
            value: None,
            headers: vec![
                ("ce_id".to_owned(), Some(b"1".to_vec())),
                ("binary".to_owned(), Some(vec![0xff])),
                ("empty".to_owned(), None),
            ],
            timestamp_ms: None,
        };
        let text = |text: &str| Value::String(text.to_owned());
        let position = Value::Record(vec![
            text("patient"),
            Value::S32(3),
            Value::S64(42),
            text("k"),
            Value::List(vec![
                Value::Tuple(vec![text("ce_id"), text("1")]),
                Value::Tuple(vec![text("empty"), text("")]),
            ]),
        ]);
        let event = Value::Record(Vec::new());
        assert_eq!(delivery(&record, event.clone()), Value::Record(vec![position, event]));
    }

    #[test]
    fn outcomes_are_read_or_refused() {
        let retry = Value::Variant(1, Some(Box::new(Value::U32(250))));
        let reject = Value::Variant(2, Some(Box::new(Value::String("no".to_owned()))));
        let read = outcomes(Value::List(vec![Value::Variant(0, None), retry, reject])).unwrap();
        let expected = [
            Outcome::Done,
            Outcome::Retry(Duration::from_millis(250)),
            Outcome::Reject("no".to_owned()),
        ];
        assert_eq!(read, expected);
        for wrong in [
            Value::Bool(true),
            Value::List(vec![Value::Variant(3, None)]),
            Value::List(vec![Value::Variant(1, None)]),
            Value::List(vec![Value::Variant(2, Some(Box::new(Value::U32(1))))]),
        ] {
            assert!(outcomes(wrong).is_err());
        }
    }
}
