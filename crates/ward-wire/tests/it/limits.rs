//! Each limit, at it and one past it.

use ward_wire::{MESSAGE_BYTES_MAX, VALUES_MAX, Value};

use crate::tools::{lines, message, service};

#[test]
fn the_size_of_a_message() {
    let message = message("record r { a: list<u8> }");
    // One tag and four bytes of length.
    let length = MESSAGE_BYTES_MAX - 5;
    let mut bytes = Vec::new();
    message.encode(&Value::Record(vec![Value::Bytes(vec![1; length])]), &mut bytes).unwrap();
    assert_eq!(bytes.len(), MESSAGE_BYTES_MAX);
    assert!(message.decode(&bytes).is_ok());
    message.encode(&Value::Record(vec![Value::Bytes(vec![1; length + 1])]), &mut bytes).unwrap();
    let error = message.decode(&bytes[MESSAGE_BYTES_MAX..]).unwrap_err();
    assert_eq!(error.to_string(), "the message is longer than 4 MiB");
}

#[test]
fn the_number_of_values() {
    let message = message("record r { l: list<bool> }");
    let encoded = |values: usize| {
        let list = Value::List(vec![Value::Bool(true); values]);
        let mut bytes = Vec::new();
        message.encode(&Value::Record(vec![list]), &mut bytes).unwrap();
        bytes
    };
    // The list itself is one.
    assert!(message.decode(&encoded(VALUES_MAX - 1)).is_ok());
    let error = message.decode(&encoded(VALUES_MAX)).unwrap_err();
    assert_eq!(error.to_string(), "`l` holds more than a million values");
}

/// Records in each other.
fn nested(levels: usize, fields: &str) -> String {
    let mut text = "record r0 { a: u32 }\n".to_owned();
    for level in 1..levels {
        let inner = level - 1;
        text.push_str(&format!(
            "record r{level} {{ {} }}\n",
            fields.replace('#', &inner.to_string())
        ));
    }
    text + &format!("f: func(r: r{});", levels - 1)
}

#[test]
fn the_depth_of_messages() {
    assert!(service(&nested(64, "x: r#")).is_ok());
    let refusals = lines(&service(&nested(65, "x: r#")).unwrap_err());
    assert!(refusals.contains("t:t/i.r0: it is nested in more than 64 levels"), "{refusals}");
}

#[test]
fn the_number_of_defaults() {
    // The record itself is one.
    let record = |fields: usize| {
        let fields: String = (0..fields).map(|index| format!("a{index}: u32, ")).collect();
        service(&format!("record r {{ {fields} }} f: func(r: r);"))
    };
    assert!(record(9_999).is_ok());
    let refusals = lines(&record(10_000).unwrap_err());
    assert!(refusals.contains("t:t/i.r: it has more than 10000 values"), "{refusals}");
    // Few lines can ask for much.
    let refusals = lines(&service(&nested(60, "x: r#, y: r#")).unwrap_err());
    assert!(refusals.contains("it has more than 10000 values"), "{refusals}");
}

#[test]
fn a_message_of_many_defaults_counts_them() {
    let mut text = "record s { a: u32".to_owned();
    (0..999).for_each(|index| text.push_str(&format!(", b{index}: u32")));
    let message = message(&(text + " } record r { l: list<s> }"));
    let bytes = |records: usize| [0x0a, 0].repeat(records);
    // Each record counts with its fields; 2 KiB would become more than a million values.
    assert!(message.decode(&bytes(1_000)).is_ok());
    assert!(message.decode(&bytes(1_100)).is_err());
    let json = |records: usize| serde_json::json!({ "l": vec![serde_json::json!({}); records] });
    assert!(message.from_json(&json(1_000)).is_ok());
    let error = message.from_json(&json(1_100)).unwrap_err();
    assert_eq!(error.to_string(), "`l[1047]` holds more than a million values");
}

#[test]
fn the_length_of_made_names() {
    let tuple = |strings: usize, rest: &str| {
        let parts = "string, ".repeat(strings);
        service(&format!("f: func(a: u32, t: tuple<{parts}{rest}>);"))
    };
    // `Tuple`, `String` 32 times and `U32`: 200. `String` 31 times and `Bytes` twice: 201.
    assert!(tuple(32, "u32").is_ok());
    let refusals = lines(&tuple(31, "list<u8>, list<u8>").unwrap_err());
    assert!(refusals.contains("its name would be too long"), "{refusals}");
}

#[test]
fn the_length_of_names_that_are_repeated() {
    let message = message("record r { a: u32 }");
    let error = |length: usize| {
        let json = serde_json::json!({ "x".repeat(length): 1 });
        message.from_json(&json).unwrap_err().to_string()
    };
    assert_eq!(error(64), format!("`{}` is no field of the message", "x".repeat(64)));
    assert_eq!(error(65), "the message has a field that is not known");
}
