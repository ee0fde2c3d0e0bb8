//! Calls: arguments from requests, responses and failures from results.

use expect_test::{Expect, expect};
use ward_wire::{Argument, Contract, Failure, Method, Naming, Service, Value};

const CONTRACT: &str = "package t:t;
interface i {
  record caller { id: string }
  record violation { description: string, field: string }
  record r { a: u32 }
  enum failure { not-found, unavailable }
  variant e { not-found(string), invalid-argument(list<violation>), internal }
  whole: func(caller: caller, r: r) -> result<r, e>;
  fields: func(a: u32, caller: caller, b: string) -> u32;
  nothing: func();
  only-caller: func(caller: caller) -> result;
  text: func() -> result<_, string>;
  plain: func() -> result<option<u32>, failure>;
  listed: func() -> list<string>;
}";

fn method(function: &str) -> Method {
    let contract = Contract::from_sources(&[("t.wit", CONTRACT)]).unwrap();
    let naming = Naming { ambient: vec!["t:t/i.caller".to_owned()], ..Naming::default() };
    let service = Service::derive(&contract, "t:t/i", &naming).unwrap();
    let methods = service.methods().iter();
    methods.clone().find(|method| method.function() == function).unwrap().clone()
}

fn request(function: &str, bytes: &[u8], arguments: &[Argument]) {
    assert_eq!(method(function).decode(bytes).unwrap(), arguments);
}

/// What is written for a result, as bytes or in the words of the failure.
fn check(function: &str, result: Option<Value>, expected: Expect) {
    let mut out = vec![7];
    let written = method(function).encode(result.as_ref(), &mut out);
    assert_eq!(out.remove(0), 7);
    expected.assert_eq(&match written {
        Ok(()) => format!("{out:02x?}"),
        Err(failure) => {
            assert!(out.is_empty());
            format!("{failure:?}")
        }
    });
}

fn ok(value: Option<Value>) -> Option<Value> {
    Some(Value::Result(Ok(value.map(Box::new))))
}

fn err(value: Option<Value>) -> Option<Value> {
    Some(Value::Result(Err(value.map(Box::new))))
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn requests() {
    let value = Argument::Value;
    request(
        "whole",
        &[0x08, 5],
        &[Argument::Ambient(0), value(Value::Record(vec![Value::U32(5)]))],
    );
    request(
        "fields",
        &[0x12, 1, b'x', 0x08, 5],
        &[value(Value::U32(5)), Argument::Ambient(0), value(text("x"))],
    );
    request("fields", &[], &[value(Value::U32(0)), Argument::Ambient(0), value(text(""))]);
    request("nothing", &[], &[]);
    request("nothing", &[0x08, 5], &[]);
    request("only-caller", &[], &[Argument::Ambient(0)]);
}

#[test]
fn responses() {
    check("whole", ok(Some(Value::Record(vec![Value::U32(5)]))), expect!["[08, 05]"]);
    check("fields", Some(Value::U32(300)), expect!["[08, ac, 02]"]);
    check("fields", Some(Value::U32(0)), expect!["[]"]);
    check("nothing", None, expect!["[]"]);
    check("only-caller", ok(None), expect!["[]"]);
    check("plain", ok(Some(Value::Option(None))), expect!["[]"]);
    check("plain", ok(Some(Value::Option(Some(Box::new(Value::U32(0)))))), expect!["[08, 00]"]);
    check("listed", Some(Value::List(vec![text("a"), text("")])), expect!["[0a, 01, 61, 0a, 00]"]);
}

#[test]
fn failures() {
    check(
        "whole",
        err(Some(Value::Variant(0, Some(Box::new(text("none")))))),
        expect![[r#"Case { name: "not-found", message: Some("none"), violations: [] }"#]],
    );
    // By the name that its clients know.
    let violation = Value::Record(vec![text("no"), text("a[7].b-c")]);
    let violations = Value::Variant(1, Some(Box::new(Value::List(vec![violation]))));
    check(
        "whole",
        err(Some(violations)),
        expect![[
            r#"Case { name: "invalid-argument", message: None, violations: [("a[7].b_c", "no")] }"#
        ]],
    );
    check(
        "whole",
        err(Some(Value::Variant(2, None))),
        expect![[r#"Case { name: "internal", message: None, violations: [] }"#]],
    );
    check(
        "only-caller",
        err(None),
        expect![[r#"Case { name: "unknown", message: None, violations: [] }"#]],
    );
    check(
        "text",
        err(Some(text("why"))),
        expect![[r#"Case { name: "unknown", message: Some("why"), violations: [] }"#]],
    );
    check(
        "plain",
        err(Some(Value::Enum(1))),
        expect![[r#"Case { name: "unavailable", message: None, violations: [] }"#]],
    );
}

#[test]
fn results_of_another_type_are_never_written() {
    let wrong = [
        ("whole", None),
        ("whole", Some(Value::U32(1))),
        ("whole", ok(None)),
        ("whole", ok(Some(Value::Record(vec![])))),
        ("whole", ok(Some(Value::Record(vec![Value::U64(5)])))),
        ("whole", ok(Some(Value::Record(vec![Value::U64(0)])))),
        ("whole", err(None)),
        ("whole", err(Some(Value::Variant(0, None)))),
        ("whole", err(Some(Value::Variant(2, Some(Box::new(text("x"))))))),
        ("whole", err(Some(Value::Variant(3, None)))),
        ("nothing", Some(Value::U32(1))),
        ("fields", None),
        ("fields", Some(text("x"))),
        ("only-caller", None),
        ("listed", Some(Value::List(vec![text("fine"), Value::U32(1)]))),
        ("plain", err(Some(Value::Enum(2)))),
    ];
    for (function, result) in wrong {
        let mut out = vec![7];
        let written = method(function).encode(result.as_ref(), &mut out);
        assert_eq!(written, Err(Failure::Mismatch), "{function} {result:?}");
        assert_eq!(out, [7]);
    }
}

#[test]
fn error_cases_are_known_beforehand() {
    assert_eq!(method("whole").error_cases(), ["not-found", "invalid-argument", "internal"]);
    assert_eq!(method("text").error_cases(), ["unknown"]);
    assert!(method("nothing").error_cases().is_empty());
}
