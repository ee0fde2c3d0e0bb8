//! What every type of WIT becomes.

use expect_test::{Expect, expect};

use crate::protoc;
use crate::tools::service;

/// The .proto text of an interface, which protoc has to take, without its first lines.
fn check(interface: &str, text: Expect) {
    let service = service(interface).unwrap();
    let ours = service.file_descriptor_set();
    let theirs = protoc::compile(&service.proto_files());
    assert_eq!(protoc::without_comments(theirs), protoc::without_comments(ours));
    let proto = service.proto_text();
    let (_, items) = proto.split_once("package t.t.v1;\n").unwrap();
    text.assert_eq(items);
}

#[test]
fn primitives() {
    check(
        "record r { a: bool, b: s8, c: u8, d: s16, e: u16, f: s32, g: u32, h: s64, i: u64, j: f32,
         k: f64, l: char, m: string, n: list<u8> }
         f: func(r: r);",
        expect![[""]],
    );
}

#[test]
fn lists_options_and_what_is_in_them() {
    check(
        "record r { a: list<string>, b: option<u32>, c: option<list<u8>>, d: list<list<u8>>,
         e: list<list<u32>>, f: option<list<string>>, g: list<list<list<u32>>> }
         f: func(r: r);",
        expect![[""]],
    );
}

#[test]
fn enums_and_flags() {
    check(
        "/// What it is.
         enum account-status { /// Open.
         active, closed }
         flags rights { read, write-all }
         record r { a: account-status, b: rights, c: list<rights>, d: option<account-status> }
         f: func(r: r);",
        expect![[""]],
    );
}

#[test]
fn variants_tuples_and_results() {
    check(
        "variant v { none, text(string), many(list<u32>), both(tuple<u32, option<string>>) }
         type pair = tuple<string, list<string>>;
         record r { a: v, b: tuple<u32, u32>, c: pair, d: result<u32, string>, e: result,
         f: result<_, v>, g: option<v>, h: list<tuple<u32, u32>> }
         f: func(r: r);",
        expect![[""]],
    );
}

#[test]
fn a_oneof_steps_aside_for_its_cases() {
    check(
        "variant v { kind(u32), kind-case(string) } record r { v: v } f: func(r: r);",
        expect![[""]],
    );
}

#[test]
fn functions() {
    check(
        "record r { a: u32 }
         variant e { not-found }
         /// Takes nothing, answers nothing.
         nothing: func();
         one: func(r: r) -> r;
         several: async func(a: u32, b: option<r>) -> list<r>;
         scalar: func(id: string) -> result<string, e>;
         maybe: func(id: string) -> result<option<r>, e>;
         checked: func() -> result<_, e>;",
        expect![[""]],
    );
}

#[test]
fn words_that_mean_something_to_protobuf() {
    check(
        "record message { %option: string, %package: string, oneof: u32, %string: string,
         reserved: string, rpc: string, syntax: string, max: string, inf: f64 }
         %enum: func(message: message);",
        expect![[""]],
    );
}
