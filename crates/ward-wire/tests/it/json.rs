//! JSON, both ways.

use expect_test::{Expect, expect};

use crate::tools::message;

/// What JSON is read as and written as again; or what is wrong with it.
fn check(interface: &str, json: &str, expected: Expect) {
    let message = message(interface);
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    expected.assert_eq(&match message.from_json(&json) {
        Ok(value) => message.to_json(&value).unwrap().to_string(),
        Err(error) => format!("error: {error}"),
    });
}

const SCALARS: &str = "record r { small-number: u8, big: s64, huge: u64, real: f64, single: f32,
    text: string, bytes: list<u8>, letter: option<char>, yes: bool }";

#[test]
fn defaults_are_written() {
    check(SCALARS, "{}", expect![[""]]);
    check("record s { a: u32 } record r { s: s, o: option<s>, l: list<s> }", "{}", expect![[""]]);
}

#[test]
fn names_and_nulls() {
    check(SCALARS, r#"{ "smallNumber": 7, "text": null }"#, expect![[""]]);
    check(SCALARS, r#"{ "small_number": 7 }"#, expect![[""]]);
    check(SCALARS, r#"{ "small_number": 7, "smallNumber": 7 }"#, expect![[""]]);
    check(SCALARS, r#"{ "smallnumber": 7 }"#, expect![[""]]);
    check(SCALARS, r#"{ "Ada Lovelace, ada@example.org": 7 }"#, expect![[""]]);
    let nested = "record s { a: u32 } record r { l: list<s> }";
    check(nested, r#"{ "l": [{}, { "b": 1 }] }"#, expect![[""]]);
    check(nested, r#"{ "l": [null] }"#, expect![[""]]);
    check(nested, r#"{ "l": {} }"#, expect![[""]]);
    check(nested, "[]", expect![[""]]);
}

#[test]
fn numbers() {
    check(
        SCALARS,
        r#"{ "big": "-9223372036854775808", "huge": 18446744073709551615, "smallNumber": "255" }"#,
        expect![[""]],
    );
    check(SCALARS, r#"{ "big": 1e3, "huge": "5.0", "smallNumber": 2.0 }"#, expect![[""]]);
    check(SCALARS, r#"{ "smallNumber": 256 }"#, expect![[""]]);
    check(SCALARS, r#"{ "smallNumber": -1 }"#, expect![[""]]);
    check(SCALARS, r#"{ "smallNumber": 1.5 }"#, expect![[""]]);
    check(SCALARS, r#"{ "smallNumber": true }"#, expect![[""]]);
    check(SCALARS, r#"{ "big": "9223372036854775808" }"#, expect![[""]]);
    check(SCALARS, r#"{ "huge": 1e300 }"#, expect![[""]]);
    check(SCALARS, r#"{ "big": " 1" }"#, expect![[""]]);
    check(SCALARS, r#"{ "big": "" }"#, expect![[""]]);
}

#[test]
fn real_numbers() {
    check(SCALARS, r#"{ "real": "NaN", "single": "-Infinity" }"#, expect![[""]]);
    check(SCALARS, r#"{ "real": -0.0, "single": "1.5" }"#, expect![[""]]);
    check(SCALARS, r#"{ "single": 1e39 }"#, expect![[""]]);
    check(SCALARS, r#"{ "real": "inf" }"#, expect![[""]]);
}

#[test]
fn bytes_and_characters() {
    check(SCALARS, r#"{ "bytes": "+/8=" }"#, expect![[""]]);
    check(SCALARS, r#"{ "bytes": "-_8" }"#, expect![[""]]);
    check(SCALARS, r#"{ "bytes": "!" }"#, expect![[""]]);
    check(SCALARS, r#"{ "letter": "ä" }"#, expect![[""]]);
    check(SCALARS, r#"{ "letter": "äh" }"#, expect![[""]]);
}

#[test]
fn enums_flags_and_oneofs() {
    let interface = "enum e { a, b } flags f { x, y } variant v { n, x(u32), e(e) }
        record r { e: e, f: f, v: v, w: list<list<v>>, s: result<u32, string> }";
    check(
        interface,
        r#"{ "e": "E_B", "f": ["F_Y", 1], "v": { "n": {} }, "w": [{ "values": [{ "e": 1 }] }],
             "s": { "err": "why" } }"#,
        expect![[""]],
    );
    check(interface, "{}", expect![[""]]);
    check(interface, r#"{ "e": "E_C" }"#, expect![[""]]);
    check(interface, r#"{ "e": "E_UNSPECIFIED" }"#, expect![[""]]);
    check(interface, r#"{ "e": 3 }"#, expect![[""]]);
    check(interface, r#"{ "e": "E_A", "f": ["F_X", "F_Z"] }"#, expect![[""]]);
    check(interface, r#"{ "e": "E_A", "v": {} }"#, expect![[""]]);
    check(interface, r#"{ "e": "E_A", "v": { "n": {}, "x": 1 } }"#, expect![[""]]);
    check(interface, r#"{ "e": "E_A", "v": { "n": { "a": 1 } } }"#, expect![[""]]);
    check(interface, r#"{ "e": "E_A", "v": { "n": true } }"#, expect![[""]]);
    check(interface, r#"{ "e": "E_A", "v": { "x": "one" } }"#, expect![[""]]);
}
