//! Which changes to a contract break whom.

use expect_test::{Expect, expect};
use ward_wire::{Contract, compat};

use crate::tools::{lines, repository};

fn package(version: &str, interface: &str) -> Contract {
    let common = "package t:common@1.0.0; interface c { record error { a: u32 } }";
    let text = format!("package t:t@{version};\ninterface i {{\n{interface}\n}}\n");
    Contract::from_sources(&[("common.wit", common), ("t.wit", &text)]).unwrap()
}

fn check(released: &str, current: &str, findings: Expect) {
    let findings_of = |released: &str, current: &str| {
        compat::check(&package("1.0.0", released), &package("1.1.0", current))
    };
    assert_eq!(findings_of(released, released), []);
    findings.assert_eq(&lines(&findings_of(released, current)));
}

#[test]
fn the_repositorys_contracts_do_not_break_themselves() {
    assert_eq!(compat::check(&repository(), &repository()), []);
}

#[test]
fn adding_breaks_nobody() {
    check(
        "record r { a: u32 } enum e { x } flags f { x } variant v { x } g: func(r: r) -> e;",
        "/// Documented now.
         record r { a: u32, b: option<string> } enum e { x, y } flags f { x, y }
         variant v { x, y(r) } record s { a: u32 } g: func(r: r) -> e; h: func(s: s);",
        expect![[""]],
    );
}

#[test]
fn fields() {
    let released = "record r { a: u32, b: string, c: list<u32>, d: bool }";
    check(released, "record r { a: u32, c: list<u32>, d: bool }", expect![[""]]);
    check(released, "record r { a: u32, b: string, d: bool, c: list<u32> }", expect![[""]]);
    check(released, "record r { a: u64, b: string, c: list<u64>, d: bool }", expect![[""]]);
    check(
        released,
        "record r { a: u32, new: u32, b: string, c: list<u32>, d: bool, fine: u32 }",
        expect![[""]],
    );
    check(released, "record r { a: u32, b: string, see: list<u32>, d: bool }", expect![[""]]);
}

#[test]
fn cases() {
    check(
        "variant v { a, b(u32), c(string) } enum e { a, b, c } flags f { a, b }",
        "variant v { a(u32), c(string) } enum e { b, a, c } flags f { b }",
        expect![[""]],
    );
}

#[test]
fn functions() {
    let released = "record r { a: u32 } f: func(a: u32, r: r) -> result<r, string>;";
    let check = |current: &str, findings| {
        check(released, &format!("record r {{ a: u32 }} {current}"), findings);
    };
    check("", expect![[""]]);
    check("f: func(r: r, a: u32) -> result<r, string>;", expect![[""]]);
    check("f: func(a: u32, r: r, b: u32) -> result<r, string>;", expect![[""]]);
    check("f: func(a: u32, other: r) -> result<r, string>;", expect![[""]]);
    check("f: async func(a: u32, r: r) -> result<r>;", expect![[""]]);
    check("f: func(a: u32, r: r);", expect![[""]]);
}

#[test]
fn types() {
    check(
        "record r { a: u32 } type t = string; type u = list<u32>; enum e { a } record gone { a: u32 }",
        "variant r { a(u32) } type t = u32; type u = list<string>; type e = u32;",
        expect![[""]],
    );
}

#[test]
fn an_alias_is_what_it_stands_for() {
    check(
        "type id = string; record r { id: id } f: func(id: string);",
        "type id = string; type key = id; record r { id: string } f: func(id: key);",
        expect![[""]],
    );
}

#[test]
fn types_of_other_packages_are_compared_by_name() {
    check(
        "use t:common/c@1.0.0.{error}; f: func() -> result<u32, error>;",
        "record error { a: u32 } f: func() -> result<u32, error>;",
        expect![[""]],
    );
}

#[test]
fn packages_and_interfaces() {
    let check = |released: &str, current: &str, findings: Expect| {
        let contract = |text: &str| Contract::from_sources(&[("t.wit", text)]).unwrap();
        let found = compat::check(&contract(released), &contract(current));
        findings.assert_eq(&lines(&found));
    };
    check("package t:t@1.2.0; interface i {}", "package t:t@1.2.0;", expect![[""]]);
    check("package t:t@1.2.0; interface i {}", "package t:t@1.1.9; interface i {}", expect![[""]]);
    check("package t:t@1.2.0;", "package t:t@2.0.0;", expect![[""]]);
    check("package t:t@0.1.0;", "package t:t@0.2.0;", expect![[""]]);
    check("package t:t@1.2.0;", "package t:u@1.2.0;", expect![[""]]);
}
