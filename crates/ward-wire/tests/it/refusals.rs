//! What is refused, where, and in which words.

use expect_test::{Expect, expect};
use ward_wire::{Contract, Message, Naming, Service};

use crate::tools::{contract, lines, naming, service};

fn check(interface: &str, refusals: Expect) {
    refusals.assert_eq(&lines(&service(interface).unwrap_err()));
}

#[test]
fn what_has_no_form_all_at_once() {
    check(
        "resource db { get: func() -> string; }
         record r {
           a: stream<u8>,
           b: future<string>,
           c: own<db>,
           d: option<option<u32>>,
           e: list<option<u32>>,
         }
         variant v { x(option<u32>), y(borrow<db>) }
         f: func(r: r, v: v) -> result<stream<u32>, string>;
         g: func() -> result<r, tuple<u32>>;
         h: func(s: stream);",
        expect![[r#"
            t.wit:3:15: t:t/i.[method]db.get: it is a function of a resource, which has
                no form in protobuf
            t.wit:5:12: t:t/i.r.a: a stream has no form in protobuf
            t.wit:6:12: t:t/i.r.b: a future has no form in protobuf
            t.wit:7:12: t:t/i.r.c: a handle of a resource has no form in protobuf
            t.wit:8:12: t:t/i.r.d: an option inside of an option has no form in
                protobuf; use a record with an option as its field
            t.wit:9:12: t:t/i.r.e: an option inside of a list has no form in protobuf;
                use a record with an option as its field
            t.wit:11:22: t:t/i.v.x: an option inside of a case has no form in protobuf;
                use a record with an option as its field
            t.wit:11:38: t:t/i.v.y: a handle of a resource has no form in protobuf
            t.wit:12:10: t:t/i.f: a stream has no form in protobuf
            t.wit:13:10: t:t/i.g: its error has to be a variant, an enum or a string,
                so that there is a name for a status
            t.wit:14:18: t:t/i.h.s: a stream has no form in protobuf
        "#]],
    );
}

#[test]
fn errors_that_would_lose_something() {
    check(
        "record problem { code: u32 }
         record violation { field: string, description: string, code: u32 }
         variant e { a, b(string), c(u32), d(problem), f(list<violation>), g(list<string>) }
         f: func() -> result<u32, e>;
         g: func() -> result<u32, problem>;",
        expect![[r#"
            t.wit:5:36: t:t/i.f.c: the payload of an error case has to be a string, or
                a list of records of the strings `field` and `description`: nothing
                else has a place in a status
            t.wit:5:44: t:t/i.f.d: the payload of an error case has to be a string, or
                a list of records of the strings `field` and `description`: nothing
                else has a place in a status
            t.wit:5:56: t:t/i.f.f: the payload of an error case has to be a string, or
                a list of records of the strings `field` and `description`: nothing
                else has a place in a status
            t.wit:5:76: t:t/i.f.g: the payload of an error case has to be a string, or
                a list of records of the strings `field` and `description`: nothing
                else has a place in a status
            t.wit:7:10: t:t/i.g: its error has to be a variant, an enum or a string, so
                that there is a name for a status
        "#]],
    );
}

#[test]
fn names_that_would_be_two_things() {
    check(
        "record get-request { a: u32 }
         enum a { b-c, unspecified }
         enum a-b { c }
         enum d { a1, a-1 }
         record r { x1: u32, x-1: u32, x-y: a, z: a-b, g: get-request, d: d }
         get: func(r: r, id: u32);
         record tuple-u32-u32 { a: tuple<u32, u32> }
         put: func(r: tuple-u32-u32);",
        expect![[r#"
            t.wit:4:15: t:t/i.a.unspecified: `t.t.v1.A_UNSPECIFIED` is already the
                protobuf name of zero in `t:t/i.a`
            t.wit:5:15: t:t/i.a-b.c: `t.t.v1.A_B_C` is already the protobuf name of the
                case `t:t/i.a.b-c`
            t.wit:3:8: t:t/i.get-request: `t.t.v1.GetRequest` is already the protobuf
                name of the request of `get`
            t.wit:6:15: t:t/i.d.a-1: protobuf takes its name for that of `a1`
            t.wit:7:30: t:t/i.r.x-1: in JSON its name would be that of `x1`
            t.wit:9:33: t:t/i.tuple-u32-u32.a: `t.t.v1.TupleU32U32` is already the
                protobuf name of `t:t/i.tuple-u32-u32`
        "#]],
    );
}

#[test]
fn an_interface_without_functions() {
    check(
        "record r { a: u32 }",
        expect![[r#"
        t.wit:2:11: t:t/i: it has no functions, so there is no service to make of it
    "#]],
    );
}

#[test]
fn the_caller_stays_out_of_messages() {
    let text = "package t:t;
        interface i {
          record caller { id: string }
          record r { caller: caller }
          fine: func(caller: caller, id: string);
          inside: func(r: r);
          answer: func() -> caller;
        }";
    let contract = Contract::from_sources(&[("t.wit", text)]).unwrap();
    let naming = Naming { ambient: vec!["t:t/i.caller".to_owned()], ..Naming::default() };
    let refusals = Service::derive(&contract, "t:t/i", &naming).unwrap_err();
    expect![[r#"
        t.wit:4:22: t:t/i.r.caller: it is supplied by the trigger, so it may be a
            parameter, but not inside of one or of a result
        t.wit:7:11: t:t/i.answer: it is supplied by the trigger, so it may be a
            parameter, but not inside of one or of a result
    "#]]
    .assert_eq(&lines(&refusals));
}

#[test]
fn names_that_are_none() {
    let naming = Naming {
        package: Some("a..b".to_owned()),
        service: Some("my service".to_owned()),
        ..naming()
    };
    let refusals = Service::derive(&contract("f: func();"), "t:t/i", &naming).unwrap_err();
    expect![[r#"
        t:t/i: `a..b` is no name for a protobuf package
        t:t/i: `my service` is no name for a protobuf service
    "#]]
    .assert_eq(&lines(&refusals));
}

#[test]
fn what_is_not_there() {
    let contract = contract("record r { a: u32 } enum e { a }");
    let naming = Naming::default();
    let mut refusals = Service::derive(&contract, "t:t/j", &naming).unwrap_err();
    refusals.extend(Service::derive(&contract, "t:t/i@2.0.0", &naming).unwrap_err());
    refusals.extend(Message::derive(&contract, "t:t/i", "s", &naming).unwrap_err());
    refusals.extend(Message::derive(&contract, "t:t/i", "e", &naming).unwrap_err());
    expect![[r#"
        t:t/j: there is no such interface; there are t:t/i@1.0.0
        t:t/i@2.0.0: there is no such interface; there are t:t/i@1.0.0
        t.wit:2:11: t:t/i: it has no type `s`
        t.wit:3:26: t:t/i.e: it is no record
    "#]]
    .assert_eq(&lines(&refusals));
}

#[test]
fn a_version_is_asked_for_only_where_there_are_two() {
    let text = |version: &str| format!("package t:t@{version}; interface i {{ f: func(); }}");
    let (one, two) = (text("1.0.0"), text("2.0.0"));
    let contract = Contract::from_sources(&[("1.wit", &one), ("2.wit", &two)]).unwrap();
    let refusals = Service::derive(&contract, "t:t/i", &Naming::default()).unwrap_err();
    expect![[r#"
        t:t/i: there are several versions; name one
    "#]]
    .assert_eq(&lines(&refusals));
    let service = Service::derive(&contract, "t:t/i@2.0.0", &Naming::default()).unwrap();
    assert_eq!(service.full_name(), "t.t.v2.I");
}
