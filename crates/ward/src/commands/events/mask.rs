//! Masks events for the eye. What is shown is what says which event it is: ids, types, versions and
//! times, told by the names of their fields. Everything else may be about a person.

use serde_json::Value;

/// What stands for a value.
const MASK: &str = "…";

/// Headers that say which event it is and how it travelled: CloudEvents', and those of the relay.
/// Ward's own begin with `ward-`. Another tool's may hold anything, an exception with the value in
/// its text.
const TELLING: [&str; 8] = [
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_time",
    "ce_subject",
    "content-type",
    "traceparent",
];

/// A header's value, masked if it may be about a person.
pub(super) fn mask_header(name: &str, value: String) -> String {
    match value.is_empty() || name.starts_with("ward-") || TELLING.contains(&name) {
        true => value,
        false => MASK.to_owned(),
    }
}

/// The same value with everything masked that may be about a person. Empty values stay: they tell
/// that there is nothing.
pub(super) fn mask(value: Value) -> Value {
    masked("", value)
}

fn masked(name: &str, value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name.clone(), masked(&name, value))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| masked(name, item)).collect(),
        Value::String(text) if text.is_empty() || is_telling(name) => Value::String(text),
        Value::Number(_) | Value::Bool(_) if is_telling(name) => value,
        Value::Null => value,
        _ => Value::from(MASK),
    }
}

fn is_telling(name: &str) -> bool {
    let whole = ["id", "type", "version", "status"];
    let ends = ["Id", "Type", "At"];
    whole.contains(&name) || ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{mask, mask_header};

    #[test]
    fn only_what_tells_which_event_it_is_is_shown() {
        let event = json!({
            "orderId": "p", "name": "Jane", "email": "jane@example.com", "dateOfBirth": "",
            "eventType": "ORDER_PLACED", "version": "3", "occurredAt": "2026-01-01T00:00:00Z",
            "registeredDate": "2026-01-01", "nested": [{"age": 7, "id": 1, "sick": true}],
        });
        let expected = json!({
            "orderId": "p", "name": "…", "email": "…", "dateOfBirth": "",
            "eventType": "ORDER_PLACED", "version": "3", "occurredAt": "2026-01-01T00:00:00Z",
            "registeredDate": "…", "nested": [{"age": "…", "id": 1, "sick": "…"}],
        });
        assert_eq!(mask(event), expected);
    }

    #[test]
    fn headers_of_other_tools_keep_their_names_only() {
        for (name, value, expected) in [
            ("ce_id", "1", "1"),
            ("ward-dead-reason", "no such order", "no such order"),
            ("x-exception-message", "cannot read {\"name\": \"Jane\"}", "…"),
            ("CE_ID", "1", "…"),
            ("x-empty", "", ""),
        ] {
            assert_eq!(mask_header(name, value.to_owned()), expected, "{name}");
        }
    }
}
