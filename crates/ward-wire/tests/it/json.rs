//! JSON, both ways.

use expect_test::{Expect, expect};

use crate::tools::{message, wrapped};

/// What JSON is read as and written as again; or what is wrong with it.
fn check(interface: &str, json: &str, expected: Expect) {
    let message = message(interface);
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    expected.assert_eq(&match message.from_json(&json) {
        Ok(value) => wrapped(&message.to_json(&value).unwrap().to_string()),
        Err(error) => wrapped(&format!("error: {error}")),
    });
}

const SCALARS: &str = "record r { small-number: u8, big: s64, huge: u64, real: f64, single: f32,
    text: string, bytes: list<u8>, letter: option<char>, yes: bool }";

#[test]
fn defaults_are_written() {
    check(
        SCALARS,
        "{}",
        expect![[r#"
            {"big":"0","bytes":"","huge":"0","real":0.0,"single":0.0,"smallNumber":0,
                "text":"","yes":false}"#]],
    );
    check(
        "record s { a: u32 } record r { s: s, o: option<s>, l: list<s> }",
        "{}",
        expect![[r#"{"l":[],"s":{"a":0}}"#]],
    );
}

#[test]
fn names_and_nulls() {
    check(
        SCALARS,
        r#"{ "smallNumber": 7, "text": null }"#,
        expect![[r#"
            {"big":"0","bytes":"","huge":"0","real":0.0,"single":0.0,"smallNumber":7,
                "text":"","yes":false}"#]],
    );
    check(
        SCALARS,
        r#"{ "small_number": 7 }"#,
        expect![[r#"
            {"big":"0","bytes":"","huge":"0","real":0.0,"single":0.0,"smallNumber":7,
                "text":"","yes":false}"#]],
    );
    check(
        SCALARS,
        r#"{ "small_number": 7, "smallNumber": 7 }"#,
        expect!["error: `small_number` is there under both of its names"],
    );
    check(
        SCALARS,
        r#"{ "smallnumber": 7 }"#,
        expect!["error: `smallnumber` is no field of the message"],
    );
    check(
        SCALARS,
        r#"{ "Ada Lovelace, ada@example.org": 7 }"#,
        expect!["error: the message has a field that is not known"],
    );
    let nested = "record s { a: u32 } record r { l: list<s> }";
    check(
        nested,
        r#"{ "l": [{}, { "b": 1 }] }"#,
        expect!["error: `l[1].b` is no field of the message"],
    );
    check(nested, r#"{ "l": [null] }"#, expect!["error: `l[0]` must be an object"]);
    check(nested, r#"{ "l": {} }"#, expect!["error: `l` must be an array"]);
    check(nested, "[]", expect!["error: the message must be an object"]);
}

#[test]
fn numbers() {
    check(
        SCALARS,
        r#"{ "big": "-9223372036854775808", "huge": 18446744073709551615, "smallNumber": "255" }"#,
        expect![[r#"
            {"big":"-9223372036854775808","bytes":"","huge":"18446744073709551615",
                "real":0.0,"single":0.0,"smallNumber":255,"text":"","yes":false}"#]],
    );
    check(
        SCALARS,
        r#"{ "big": 1e3, "huge": "5.0", "smallNumber": 2.0 }"#,
        expect![[r#"
            {"big":"1000","bytes":"","huge":"5","real":0.0,"single":0.0,"smallNumber":2,
                "text":"","yes":false}"#]],
    );
    check(
        SCALARS,
        r#"{ "smallNumber": 256 }"#,
        expect!["error: `small_number` is out of its range"],
    );
    check(
        SCALARS,
        r#"{ "smallNumber": -1 }"#,
        expect!["error: `small_number` is out of its range"],
    );
    check(
        SCALARS,
        r#"{ "smallNumber": 1.5 }"#,
        expect!["error: `small_number` must be a whole number"],
    );
    check(
        SCALARS,
        r#"{ "smallNumber": true }"#,
        expect!["error: `small_number` must be a whole number"],
    );
    check(
        SCALARS,
        r#"{ "big": "9223372036854775808" }"#,
        expect!["error: `big` is out of its range"],
    );
    check(SCALARS, r#"{ "huge": 1e300 }"#, expect!["error: `huge` is out of its range"]);
    check(SCALARS, r#"{ "big": " 1" }"#, expect!["error: `big` must be a whole number"]);
    check(SCALARS, r#"{ "big": "" }"#, expect!["error: `big` must be a whole number"]);
}

#[test]
fn real_numbers() {
    check(
        SCALARS,
        r#"{ "real": "NaN", "single": "-Infinity" }"#,
        expect![[r#"
            {"big":"0","bytes":"","huge":"0","real":"NaN","single":"-Infinity",
                "smallNumber":0,"text":"","yes":false}"#]],
    );
    check(
        SCALARS,
        r#"{ "real": -0.0, "single": "1.5" }"#,
        expect![[r#"
            {"big":"0","bytes":"","huge":"0","real":-0.0,"single":1.5,"smallNumber":0,
                "text":"","yes":false}"#]],
    );
    check(SCALARS, r#"{ "single": 1e39 }"#, expect!["error: `single` is out of its range"]);
    check(SCALARS, r#"{ "real": "inf" }"#, expect!["error: `real` must be a number"]);
}

#[test]
fn bytes_and_characters() {
    check(
        SCALARS,
        r#"{ "bytes": "+/8=" }"#,
        expect![[r#"
            {"big":"0","bytes":"+/8=","huge":"0","real":0.0,"single":0.0,
                "smallNumber":0,"text":"","yes":false}"#]],
    );
    check(
        SCALARS,
        r#"{ "bytes": "-_8" }"#,
        expect![[r#"
            {"big":"0","bytes":"+/8=","huge":"0","real":0.0,"single":0.0,
                "smallNumber":0,"text":"","yes":false}"#]],
    );
    check(SCALARS, r#"{ "bytes": "!" }"#, expect!["error: `bytes` is not base64"]);
    check(
        SCALARS,
        r#"{ "letter": "ä" }"#,
        expect![[r#"
            {"big":"0","bytes":"","huge":"0","letter":"ä","real":0.0,"single":0.0,
                "smallNumber":0,"text":"","yes":false}"#]],
    );
    check(
        SCALARS,
        r#"{ "letter": "äh" }"#,
        expect!["error: `letter` must be exactly one character"],
    );
}

#[test]
fn enums_flags_and_oneofs() {
    let interface = "enum e { a, b } flags f { x, y } variant v { n, x(u32), e(e) }
        record r { e: e, f: f, v: v, w: list<list<v>>, s: result<u32, string> }";
    check(
        interface,
        r#"{ "e": "E_B", "f": ["F_Y", 1], "v": { "n": {} }, "w": [{ "values": [{ "e": 1 }] }],
             "s": { "err": "why" } }"#,
        expect![[r#"
            {"e":"E_B","f":["F_X","F_Y"],"s":{"err":"why"},"v":{"n":{}},
                "w":[{"values":[{"e":"E_A"}]}]}"#]],
    );
    check(interface, "{}", expect!["error: `e` is not set, and has no default"]);
    check(interface, r#"{ "e": "E_C" }"#, expect!["error: `e` is none of its cases"]);
    check(
        interface,
        r#"{ "e": "E_UNSPECIFIED" }"#,
        expect!["error: `e` is not set, and has no default"],
    );
    check(interface, r#"{ "e": 3 }"#, expect!["error: `e` is none of its cases"]);
    check(
        interface,
        r#"{ "e": "E_A", "f": ["F_X", "F_Z"] }"#,
        expect!["error: `f[1]` is none of its cases"],
    );
    check(interface, r#"{ "e": "E_A", "v": {} }"#, expect!["error: `v` has none of its cases set"]);
    check(
        interface,
        r#"{ "e": "E_A", "v": { "n": {}, "x": 1 } }"#,
        expect!["error: `v` has more than one of its cases set"],
    );
    check(
        interface,
        r#"{ "e": "E_A", "v": { "n": { "a": 1 } } }"#,
        expect!["error: `v.n.a` is no field of the message"],
    );
    check(
        interface,
        r#"{ "e": "E_A", "v": { "n": true } }"#,
        expect!["error: `v.n` must be an empty object"],
    );
    check(
        interface,
        r#"{ "e": "E_A", "v": { "x": "one" } }"#,
        expect!["error: `v.x` must be a whole number"],
    );
}
