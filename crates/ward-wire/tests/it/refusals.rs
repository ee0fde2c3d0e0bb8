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
        expect![[""]],
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
        expect![[""]],
    );
}

#[test]
fn names_that_would_be_two_things() {
    check(
        "record get-request { a: u32 }
         enum a { b-c, unspecified }
         enum a-b { c }
         record r { x1: u32, x-y: a, z: a-b, g: get-request }
         get: func(r: r, id: u32);
         record tuple-u32-u32 { a: tuple<u32, u32> }
         put: func(r: tuple-u32-u32);",
        expect![[""]],
    );
}

#[test]
fn an_interface_without_functions() {
    check("record r { a: u32 }", expect![[""]]);
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
    expect![[""]].assert_eq(&lines(&refusals));
}

#[test]
fn names_that_are_none() {
    let naming = Naming {
        package: Some("a..b".to_owned()),
        service: Some("my service".to_owned()),
        ..naming()
    };
    let refusals = Service::derive(&contract("f: func();"), "t:t/i", &naming).unwrap_err();
    expect![[""]].assert_eq(&lines(&refusals));
}

#[test]
fn what_is_not_there() {
    let contract = contract("record r { a: u32 } enum e { a }");
    let naming = Naming::default();
    let mut refusals = Service::derive(&contract, "t:t/j", &naming).unwrap_err();
    refusals.extend(Service::derive(&contract, "t:t/i@2.0.0", &naming).unwrap_err());
    refusals.extend(Message::derive(&contract, "t:t/i", "s", &naming).unwrap_err());
    refusals.extend(Message::derive(&contract, "t:t/i", "e", &naming).unwrap_err());
    expect![[""]].assert_eq(&lines(&refusals));
}

#[test]
fn a_version_is_asked_for_only_where_there_are_two() {
    let text = |version: &str| format!("package t:t@{version}; interface i {{ f: func(); }}");
    let (one, two) = (text("1.0.0"), text("2.0.0"));
    let contract = Contract::from_sources(&[("1.wit", &one), ("2.wit", &two)]).unwrap();
    let refusals = Service::derive(&contract, "t:t/i", &Naming::default()).unwrap_err();
    expect![[""]].assert_eq(&lines(&refusals));
    let service = Service::derive(&contract, "t:t/i@2.0.0", &Naming::default()).unwrap();
    assert_eq!(service.full_name(), "t.t.v2.I");
}
