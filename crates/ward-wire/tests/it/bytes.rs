//! How bytes are read: what protobuf leaves open, and what is refused in which words.

use expect_test::{Expect, expect};

use crate::tools::{message, wrapped};

/// The value that bytes, given in hexadecimal, are read as; or what is wrong with them.
fn check(interface: &str, hex: &str, expected: Expect) {
    let bytes: Vec<u8> =
        hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    expected.assert_eq(&match message(interface).decode(&bytes) {
        Ok(value) => wrapped(&format!("{value:?}")),
        Err(error) => wrapped(&format!("error: {error}")),
    });
}

const SCALARS: &str = "record r { a: u8, b: s8, c: bool, d: string, e: s32, f: list<u8> }";

#[test]
fn what_is_missing_has_its_default() {
    check(
        SCALARS,
        "",
        expect![[r#"Record([U8(0), S8(0), Bool(false), String(""), S32(0), Bytes([])])"#]],
    );
    check(
        "record s { a: u32, b: list<string> } flags f { x, y }
         record r { s: s, o: option<s>, t: tuple<s, u32>, f: f }",
        "",
        expect![[r#"
            Record([Record([U32(0), List([])]), Option(None), Tuple([Record([U32(0),
                List([])]), U32(0)]), Flags([false, false])])"#]],
    );
}

#[test]
fn the_last_of_several_counts() {
    check(
        SCALARS,
        "08 01 08 02 22 01 61 22 01 62",
        expect![[r#"Record([U8(2), S8(0), Bool(false), String("b"), S32(0), Bytes([])])"#]],
    );
    check("record r { a: option<u32> }", "08 01 08 00", expect!["Record([Option(Some(U32(0)))])"]);
}

#[test]
fn unknown_fields_are_passed_over() {
    check(
        "record r { a: u32 }",
        "10 05 19 01 02 03 04 05 06 07 08 22 03 78 79 7a 2d 01 02 03 04 08 09 fa ff ff ff 0f 00",
        expect!["Record([U32(9)])"],
    );
}

#[test]
fn groups_are_refused() {
    check(
        "record r { a: u32 }",
        "13 14",
        expect!["error: the message has a group, which protobuf no longer has"],
    );
    check(
        "record s { a: u32 } record r { s: s }",
        "0a 01 0b",
        expect!["error: `s` has a group, which protobuf no longer has"],
    );
}

#[test]
fn messages_that_are_there_twice_are_merged() {
    let interface = "record t { x: u32, y: list<u32> }
        record s { a: u32, b: u32, t: t } record r { s: s, o: option<t> }";
    // s { a: 1, t { y: 5 } } s { b: 2, t { x: 3, y: 6 } }
    let twice = "0a 07 08 01 1a 03 12 01 05 0a 09 10 02 1a 05 08 03 12 01 06";
    check(
        interface,
        twice,
        expect![[r#"
        Record([Record([U32(1), U32(2), Record([U32(3), List([U32(5), U32(6)])])]),
            Option(None)])"#]],
    );
    check(
        interface,
        "12 02 08 01 12 03 12 01 02",
        expect![[r#"
        Record([Record([U32(0), U32(0), Record([U32(0), List([])])]),
            Option(Some(Record([U32(1), List([U32(2)])])))])"#]],
    );
    // An enum that the first half lacks and the second has.
    let interface = "enum e { a, b } record s { a: u32, e: e } record r { s: s }";
    check(interface, "0a 02 08 07 0a 02 10 02", expect!["Record([Record([U32(7), Enum(1)])])"]);
}

#[test]
fn a_oneof_keeps_what_came_last() {
    let interface = "record s { a: u32, b: u32 }
        variant v { n, x(u32), s(s), t(s) } record r { v: v }";
    check(interface, "0a 02 10 05", expect!["Record([Variant(1, Some(U32(5)))])"]);
    check(interface, "0a 04 10 05 0a 00", expect!["Record([Variant(0, None)])"]);
    check(interface, "0a 04 0a 00 10 05", expect!["Record([Variant(1, Some(U32(5)))])"]);
    // The same case twice is merged, another one replaces it.
    check(
        interface,
        "0a 08 1a 02 08 01 1a 02 10 02",
        expect!["Record([Variant(2, Some(Record([U32(1), U32(2)])))])"],
    );
    check(
        interface,
        "0a 08 1a 02 08 01 22 02 10 02",
        expect!["Record([Variant(3, Some(Record([U32(0), U32(2)])))])"],
    );
    check(
        interface,
        "0a 0c 1a 02 08 01 22 00 1a 02 10 02 10 07",
        expect!["Record([Variant(1, Some(U32(7)))])"],
    );
}

#[test]
fn a_oneof_has_to_be_set() {
    let interface = "variant v { n, x(u32) } record r { v: v, w: option<v>, l: list<v> }";
    check(interface, "", expect!["error: `v` has none of its cases set, or one that is not known"]);
    check(
        interface,
        "0a 00",
        expect!["error: `v` has none of its cases set, or one that is not known"],
    );
    check(
        interface,
        "0a 02 18 01",
        expect!["error: `v` has none of its cases set, or one that is not known"],
    );
    check(
        interface,
        "0a 02 0a 00 12 00",
        expect!["error: `w` has none of its cases set, or one that is not known"],
    );
    check(
        interface,
        "0a 02 0a 00 1a 02 0a 00 1a 00",
        expect!["error: `l[1]` has none of its cases set, or one that is not known"],
    );
    check(
        interface,
        "0a 04 0a 02 08 01",
        expect!["Record([Variant(0, None), Option(None), List([])])"],
    );
    check(interface, "0a 03 0a 01 08", expect!["error: `v.n` ends in the middle of a field"]);
}

#[test]
fn lists_may_be_packed_or_not() {
    let interface = "enum e { a, b } record r { l: list<u32>, e: list<e>, f: list<f32> }";
    check(
        interface,
        "0a 03 01 02 03 08 04 0a 01 05 12 01 02 10 01",
        expect![[r#"
        Record([List([U32(1), U32(2), U32(3), U32(4), U32(5)]), List([Enum(1),
            Enum(0)]), List([])])"#]],
    );
    check(
        interface,
        "1a 08 00 00 80 3f 00 00 00 40 1d 00 00 40 40 12 00",
        expect!["Record([List([]), List([]), List([F32(1.0), F32(2.0), F32(3.0)])])"],
    );
    check(
        interface,
        "1a 07 00 00 80 3f 00 00 00",
        expect!["error: `f[1]` ends in the middle of a field"],
    );
    check(interface, "12 02 01 03", expect!["error: `e[1]` is none of its cases"]);
    check(
        "record r { l: list<string> }",
        "0a 01 61 0a 00",
        expect![[r#"Record([List([String("a"), String("")])])"#]],
    );
}

#[test]
fn enums() {
    let interface = "enum e { a, b } record r { e: e, o: option<e> }";
    check(interface, "08 02", expect!["Record([Enum(1), Option(None)])"]);
    check(interface, "", expect!["error: `e` is not set, and has no default"]);
    check(interface, "08 00", expect!["error: `e` is not set, and has no default"]);
    check(interface, "08 03", expect!["error: `e` is none of its cases"]);
    check(
        interface,
        "08 ff ff ff ff ff ff ff ff ff 01",
        expect!["error: `e` is none of its cases"],
    );
    check(interface, "08 01 10 00", expect!["error: `o` is not set, and has no default"]);
}

#[test]
fn flags() {
    let interface = "flags f { a, b, c } record r { f: f, l: list<f> }";
    check(
        interface,
        "08 03 08 01 08 03",
        expect!["Record([Flags([true, false, true]), List([])])"],
    );
    check(
        interface,
        "0a 02 01 02 12 03 0a 01 03 12 00",
        expect![[r#"
        Record([Flags([true, true, false]), List([Flags([false, false, true]),
            Flags([false, false, false])])])"#]],
    );
    check(interface, "0a 02 01 04", expect!["error: `f` is none of its cases"]);
    check(
        interface,
        "12 00 12 02 08 00",
        expect!["error: `l[1].values` is not set, and has no default"],
    );
    check(interface, "0d 00 00 00 00", expect!["error: `f` is not laid out as its type is"]);
}

#[test]
fn ranges() {
    check(
        SCALARS,
        "08 ff 01 10 80 ff ff ff ff ff ff ff ff 01",
        expect![[r#"Record([U8(255), S8(-128), Bool(false), String(""), S32(0), Bytes([])])"#]],
    );
    check(SCALARS, "08 80 02", expect!["error: `a` is out of its range"]);
    check(SCALARS, "10 80 01", expect!["error: `b` is out of its range"]);
    check("record r { a: s16 }", "08 ff ff 01", expect!["Record([S16(32767)])"]);
    check("record r { a: u16 }", "08 80 80 04", expect!["error: `a` is out of its range"]);
    // Protobuf's 32-bit types are cut, and any number that is not zero is true.
    check(
        "record r { a: u32, b: s32, c: bool }",
        "08 ff ff ff ff 1f 10 80 80 80 80 10 18 80 02",
        expect!["Record([U32(4294967295), S32(0), Bool(true)])"],
    );
}

#[test]
fn characters() {
    check("record r { c: char }", "0a 02 c3 a4", expect!["Record([Char('ä')])"]);
    check("record r { c: char }", "", expect!["error: `c` must be exactly one character"]);
    check(
        "record r { c: char }",
        "0a 02 61 62",
        expect!["error: `c` must be exactly one character"],
    );
    check(
        "record r { c: list<char> }",
        "0a 01 61 0a 00",
        expect!["error: `c[1]` must be exactly one character"],
    );
}

#[test]
fn text_is_utf_8() {
    check(SCALARS, "22 02 c3 28", expect!["error: `d` is not UTF-8"]);
    check(
        "record s { a: list<string> } record r { l: list<s> }",
        "0a 00 0a 04 0a 00 0a 02 0a 05",
        expect!["error: `l[1].a[1]` ends in the middle of a field"],
    );
    check(
        "record s { a: list<string> } record r { l: list<s> }",
        "0a 00 0a 05 0a 00 0a 01 ff",
        expect!["error: `l[1].a[1]` is not UTF-8"],
    );
}

#[test]
fn layouts_that_are_wrong() {
    check(SCALARS, "0a 01 61", expect!["error: `a` is not laid out as its type is"]);
    check(SCALARS, "20 01", expect!["error: `d` is not laid out as its type is"]);
    check(
        "record s { a: u32 } record r { s: s }",
        "08 01",
        expect!["error: `s` is not laid out as its type is"],
    );
    check(
        "record r { l: list<f32> }",
        "08 01",
        expect!["error: `l[0]` is not laid out as its type is"],
    );
}

#[test]
fn bytes_that_end_too_early() {
    check(SCALARS, "08", expect!["error: `a` ends in the middle of a field"]);
    check(SCALARS, "22 05 61", expect!["error: `d` ends in the middle of a field"]);
    check(SCALARS, "00", expect!["error: the message has a field without a valid number"]);
    check(
        SCALARS,
        "ff ff ff ff ff ff ff ff ff ff",
        expect!["error: the message has a number that is longer than 64 bits"],
    );
}

#[test]
fn lists_in_lists_name_their_elements() {
    check(
        "record r { l: list<list<u8>>, m: list<list<u16>> }",
        "12 00 12 05 0a 03 ff ff 03",
        expect!["Record([List([]), List([List([]), List([U16(65535)])])])"],
    );
    check(
        "record r { m: list<list<u16>> }",
        "0a 00 0a 05 0a 03 80 80 04",
        expect!["error: `m[1].values[0]` is out of its range"],
    );
}
