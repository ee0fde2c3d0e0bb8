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
        expect![[r#"

            service I {
              rpc F(R) returns (FResponse);
            }

            message R {
              bool a = 1;
              int32 b = 2;
              uint32 c = 3;
              int32 d = 4;
              uint32 e = 5;
              int32 f = 6;
              uint32 g = 7;
              int64 h = 8;
              uint64 i = 9;
              float j = 10;
              double k = 11;
              string l = 12;
              string m = 13;
              bytes n = 14;
            }

            // What F answers.
            message FResponse {}
        "#]],
    );
}

#[test]
fn lists_options_and_what_is_in_them() {
    check(
        "record r { a: list<string>, b: option<u32>, c: option<list<u8>>, d: list<list<u8>>,
         e: list<list<u32>>, f: option<list<string>>, g: list<list<list<u32>>> }
         f: func(r: r);",
        expect![[r#"

            service I {
              rpc F(R) returns (FResponse);
            }

            message R {
              repeated string a = 1;
              optional uint32 b = 2;
              optional bytes c = 3;
              repeated bytes d = 4;
              repeated U32List e = 5;
              optional StringList f = 6;
              repeated U32ListList g = 7;
            }

            message U32List {
              repeated uint32 values = 1;
            }

            message StringList {
              repeated string values = 1;
            }

            message U32ListList {
              repeated U32List values = 1;
            }

            // What F answers.
            message FResponse {}
        "#]],
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
        expect![[r#"

            service I {
              rpc F(R) returns (FResponse);
            }

            message R {
              AccountStatus a = 1;
              repeated Rights b = 2;
              repeated RightsSet c = 3;
              optional AccountStatus d = 4;
            }

            message RightsSet {
              repeated Rights values = 1;
            }

            // What F answers.
            message FResponse {}

            // What it is.
            enum AccountStatus {
              ACCOUNT_STATUS_UNSPECIFIED = 0;
              // Open.
              ACCOUNT_STATUS_ACTIVE = 1;
              ACCOUNT_STATUS_CLOSED = 2;
            }

            enum Rights {
              RIGHTS_UNSPECIFIED = 0;
              RIGHTS_READ = 1;
              RIGHTS_WRITE_ALL = 2;
            }
        "#]],
    );
}

#[test]
fn variants() {
    check(
        "variant v { none, text(string), many(list<u32>), both(tuple<u32, option<string>>) }
         record r { a: v, b: option<v>, c: list<v> }
         f: func(r: r);",
        expect![[""]],
    );
}

#[test]
fn tuples_and_results() {
    check(
        "type pair = tuple<string, list<string>>;
         record r { a: tuple<u32, u32>, b: pair, c: result<u32, string>, d: result,
         e: result<_, pair>, f: list<tuple<u32, u32>> }
         f: func(r: r);",
        expect![[""]],
    );
}

#[test]
fn a_oneof_steps_aside_for_its_cases() {
    check(
        "variant v { kind(u32), kind-case(string) } record r { v: v } f: func(r: r);",
        expect![[r#"

            service I {
              rpc F(R) returns (FResponse);
            }

            message R {
              V v = 1;
            }

            message V {
              oneof kind_case_case {
                uint32 kind = 1;
                string kind_case = 2;
              }
            }

            // What F answers.
            message FResponse {}
        "#]],
    );
}

#[test]
fn requests() {
    check(
        "record r { a: u32 }
         /// Takes nothing, answers nothing.
         nothing: func();
         one: func(r: r);
         several: async func(a: u32, b: option<r>);
         scalar: func(id: string);",
        expect![[""]],
    );
}

#[test]
fn responses() {
    check(
        "record r { a: u32 }
         variant e { not-found }
         one: func() -> r;
         several: func() -> list<r>;
         scalar: func() -> result<string, e>;
         maybe: func() -> result<option<r>, e>;
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
        expect![[r#"

            service I {
              rpc Enum(Message) returns (EnumResponse);
            }

            message Message {
              string option = 1;
              string package = 2;
              uint32 oneof = 3;
              string string = 4;
              string reserved = 5;
              string rpc = 6;
              string syntax = 7;
              string max = 8;
              double inf = 9;
            }

            // What Enum answers.
            message EnumResponse {}
        "#]],
    );
}
