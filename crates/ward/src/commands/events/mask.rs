//! Masks events for the eye. What is shown is what says which event it is: ids, types, versions and
//! times, told by the names of their fields. Everything else may be about a person.

use serde_json::Value;

/// What stands for a value.
const MASK: &str = "…";

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

    use super::mask;

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
}
