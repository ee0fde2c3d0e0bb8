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
              repeated U32List_List g = 7;
            }

            message U32List {
              repeated uint32 values = 1;
            }

            message StringList {
              repeated string values = 1;
            }

            message U32List_List {
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
        expect![[r#"

            import "google/protobuf/empty.proto";

            service I {
              rpc F(R) returns (FResponse);
            }

            message R {
              V a = 1;
              optional V b = 2;
              repeated V c = 3;
            }

            message V {
              oneof kind {
                google.protobuf.Empty none = 1;
                string text = 2;
                U32List many = 3;
                TupleU32OptionalString both = 4;
              }
            }

            message U32List {
              repeated uint32 values = 1;
            }

            message TupleU32OptionalString {
              uint32 f0 = 1;
              optional string f1 = 2;
            }

            // What F answers.
            message FResponse {}
        "#]],
    );
}

#[test]
fn tuples_and_results() {
    check(
        "type pair = tuple<string, list<string>>;
         record r { a: tuple<u32, u32>, b: pair, c: result<u32, string>, d: result,
         e: result<_, pair>, f: list<tuple<u32, u32>> }
         f: func(r: r);",
        expect![[r#"

            import "google/protobuf/empty.proto";

            service I {
              rpc F(R) returns (FResponse);
            }

            message R {
              TupleU32U32 a = 1;
              Pair b = 2;
              ResultU32String c = 3;
              ResultEmptyEmpty d = 4;
              ResultEmptyPair e = 5;
              repeated TupleU32U32 f = 6;
            }

            message TupleU32U32 {
              uint32 f0 = 1;
              uint32 f1 = 2;
            }

            message Pair {
              string f0 = 1;
              repeated string f1 = 2;
            }

            message ResultU32String {
              oneof result {
                uint32 ok = 1;
                string err = 2;
              }
            }

            message ResultEmptyEmpty {
              oneof result {
                google.protobuf.Empty ok = 1;
                google.protobuf.Empty err = 2;
              }
            }

            message ResultEmptyPair {
              oneof result {
                google.protobuf.Empty ok = 1;
                Pair err = 2;
              }
            }

            // What F answers.
            message FResponse {}
        "#]],
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
        expect![[r#"

            service I {
              // Takes nothing, answers nothing.
              rpc Nothing(NothingRequest) returns (NothingResponse);

              rpc One(R) returns (OneResponse);

              rpc Several(SeveralRequest) returns (SeveralResponse);

              rpc Scalar(ScalarRequest) returns (ScalarResponse);
            }

            // What Nothing takes.
            message NothingRequest {}

            // What Nothing answers.
            message NothingResponse {}

            message R {
              uint32 a = 1;
            }

            // What One answers.
            message OneResponse {}

            // What Several takes.
            message SeveralRequest {
              uint32 a = 1;
              optional R b = 2;
            }

            // What Several answers.
            message SeveralResponse {}

            // What Scalar takes.
            message ScalarRequest {
              string id = 1;
            }

            // What Scalar answers.
            message ScalarResponse {}
        "#]],
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
        expect![[r#"

            service I {
              rpc One(OneRequest) returns (R);

              rpc Several(SeveralRequest) returns (SeveralResponse);

              rpc Scalar(ScalarRequest) returns (ScalarResponse);

              rpc Maybe(MaybeRequest) returns (MaybeResponse);

              rpc Checked(CheckedRequest) returns (CheckedResponse);
            }

            // What One takes.
            message OneRequest {}

            message R {
              uint32 a = 1;
            }

            // What Several takes.
            message SeveralRequest {}

            // What Several answers.
            message SeveralResponse {
              repeated R result = 1;
            }

            // What Scalar takes.
            message ScalarRequest {}

            // What Scalar answers.
            message ScalarResponse {
              string result = 1;
            }

            // What Maybe takes.
            message MaybeRequest {}

            // What Maybe answers.
            message MaybeResponse {
              optional R result = 1;
            }

            // What Checked takes.
            message CheckedRequest {}

            // What Checked answers.
            message CheckedResponse {}
        "#]],
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

#[test]
fn types_without_a_name_have_names_that_differ() {
    let types = [
        "tuple<list<u32>>",
        "list<tuple<u32>>",
        "tuple<tuple<u32>, u32>",
        "tuple<tuple<u32, u32>>",
        "list<list<list<u32>>>",
        "result<tuple<u32>, u32>",
        "result<tuple<u32, u32>>",
    ];
    let fields: String =
        types.iter().enumerate().map(|(at, ty)| format!("f{at}: list<{ty}>,\n")).collect();
    let text = service(&format!("record r {{ {fields} }}\nf: func(r: r);")).unwrap().proto_text();
    let messages: std::collections::BTreeSet<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("repeated ")).collect();
    expect![[r#"
        ResultTupleU32U32_Empty f6 = 7;
        ResultTupleU32_U32 f5 = 6;
        TupleTupleU32U32 f3 = 4;
        TupleTupleU32_U32 f2 = 3;
        TupleU32 values = 1;
        TupleU32List f0 = 1;
        TupleU32_List f1 = 2;
        U32List values = 1;
        U32List_List values = 1;
        U32List_List_List f4 = 5;
        uint32 f0 = 1;
        uint32 values = 1;
    "#]]
    .assert_eq(&messages.into_iter().map(|line| format!("{line}\n")).collect::<String>());
}
