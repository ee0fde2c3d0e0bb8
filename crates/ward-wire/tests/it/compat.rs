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
    check(
        released,
        "record r { a: u32, c: list<u32>, d: bool }",
        expect![[r#"
            t.wit:3:8: t:t/i.r.b: the field was removed; keep it as field 2: the
                numbers follow the order
        "#]],
    );
    check(
        released,
        "record r { a: u32, b: string, d: bool, c: list<u32> }",
        expect![[r#"
            t.wit:3:31: t:t/i.r.d: the field was number 4 and is number 3; put it back
                as field 4
        "#]],
    );
    check(
        released,
        "record r { a: u64, b: string, c: list<u64>, d: bool }",
        expect![[r#"
            t.wit:3:12: t:t/i.r.a: its type was u32 and is u64; keep its type and add a
                field at the end
            t.wit:3:31: t:t/i.r.c: its type was list<u32> and is list<u64>; keep its
                type and add a field at the end
        "#]],
    );
    check(
        released,
        "record r { a: u32, new: u32, b: string, c: list<u32>, d: bool, fine: u32 }",
        expect![[r#"
            t.wit:3:20: t:t/i.r.new: the field was inserted before others; put new
                fields at the end
        "#]],
    );
    check(
        released,
        "record r { a: u32, b: string, see: list<u32>, d: bool }",
        expect![[r#"
            t.wit:3:8: t:t/i.r.c: the field was removed; keep it as field 3: the
                numbers follow the order
            t.wit:3:31: t:t/i.r.see: the field was inserted before others; put new
                fields at the end
        "#]],
    );
}

#[test]
fn cases() {
    check(
        "variant v { a, b(u32), c(string) } enum e { a, b, c } flags f { a, b }",
        "variant v { a(u32), c(string) } enum e { b, a, c } flags f { b }",
        expect![[r#"
            t.wit:3:13: t:t/i.v.a: its type was _ and is u32; keep its type and add a
                case at the end
            t.wit:3:9: t:t/i.v.b: the case was removed; keep it as case 2: the numbers
                follow the order
            t.wit:3:42: t:t/i.e.b: the case was number 2 and is number 1; put it back
                as case 2
            t.wit:3:58: t:t/i.f.a: the flag was removed; keep it as flag 1: the numbers
                follow the order
        "#]],
    );
}

#[test]
fn functions() {
    let released = "record r { a: u32 } f: func(a: u32, r: r) -> result<r, string>;";
    let check = |current: &str, findings| {
        check(released, &format!("record r {{ a: u32 }} {current}"), findings);
    };
    check(
        "",
        expect![[r#"
            t.wit:2:11: t:t/i.f: was removed; keep it; what breaks users belongs into a
                new major version beside this one
        "#]],
    );
    check(
        "f: func(r: r, a: u32) -> result<r, string>;",
        expect![[r#"
            t.wit:3:21: t:t/i.f: its parameters were (a: u32, r: t:t/i@1.r) and are (r:
                t:t/i@1.r, a: u32); keep it as it was and add a function of a new name
        "#]],
    );
    check(
        "f: func(a: u32, r: r, b: u32) -> result<r, string>;",
        expect![[r#"
            t.wit:3:21: t:t/i.f: its parameters were (a: u32, r: t:t/i@1.r) and are (a:
                u32, r: t:t/i@1.r, b: u32); keep it as it was and add a function of a
                new name
        "#]],
    );
    check(
        "f: func(a: u32, other: r) -> result<r, string>;",
        expect![[r#"
            t.wit:3:21: t:t/i.f: its parameters were (a: u32, r: t:t/i@1.r) and are (a:
                u32, other: t:t/i@1.r); keep it as it was and add a function of a new
                name
        "#]],
    );
    check(
        "f: async func(a: u32, r: r) -> result<r>;",
        expect![[r#"
            t.wit:3:21: t:t/i.f: was not async and is async; keep it as it was and add
                a function of a new name
            t.wit:3:21: t:t/i.f: its result was result<t:t/i@1.r, string> and is
                result<t:t/i@1.r, _>; keep it as it was and add a function of a new name
        "#]],
    );
    check(
        "f: func(a: u32, r: r);",
        expect![[r#"
            t.wit:3:21: t:t/i.f: its result was result<t:t/i@1.r, string> and is _;
                keep it as it was and add a function of a new name
        "#]],
    );
}

#[test]
fn types() {
    check(
        "record r { a: u32 } type t = string; type u = list<u32>; enum e { a }
         record gone { a: u32 }",
        "variant r { a(u32) } type t = u32; type u = list<string>; type e = u32;",
        expect![[r#"
            t.wit:3:9: t:t/i.r: was the record t:t/i@1.r and is the variant t:t/i@1.r;
                keep it as it was and add a type of a new name
            t.wit:3:27: t:t/i.t: was string and is u32; keep it as it was and add a
                type of a new name
            t.wit:3:41: t:t/i.u: was list<u32> and is list<string>; keep it as it was
                and add a type of a new name
            t.wit:3:64: t:t/i.e: was the enum t:t/i@1.e and is u32; keep it as it was
                and add a type of a new name
            t.wit:2:11: t:t/i.gone: was removed; keep it; what breaks users belongs
                into a new major version beside this one
        "#]],
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
        expect![[r#"
            t.wit:3:8: t:t/i.error: was the record t:common/c@1.error and is the record
                t:t/i@1.error; keep it as it was and add a type of a new name
            t.wit:3:25: t:t/i.f: its result was result<u32, t:common/c@1.error> and is
                result<u32, t:t/i@1.error>; keep it as it was and add a function of a
                new name
        "#]],
    );
}

#[test]
fn packages_and_interfaces() {
    let check = |released: &str, current: &str, findings: Expect| {
        let contract = |text: &str| Contract::from_sources(&[("t.wit", text)]).unwrap();
        let found = compat::check(&contract(released), &contract(current));
        findings.assert_eq(&lines(&found));
    };
    check(
        "package t:t@1.2.0; interface i {}",
        "package t:t@1.2.0;",
        expect![[r#"
            t:t/i: was removed; keep it; what breaks users belongs into a new major
                version beside this one
        "#]],
    );
    check(
        "package t:t@1.2.0; interface i {}",
        "package t:t@1.1.9; interface i {}",
        expect![[r#"
            t:t@1.2.0: its version went back, to t:t@1.1.9; a version is released once;
                go on from there
        "#]],
    );
    check(
        "package t:t@1.2.0;",
        "package t:t@2.0.0;",
        expect![[r#"
            t:t@1.2.0: was removed; keep it; what breaks users belongs into a new major
                version beside this one
        "#]],
    );
    check(
        "package t:t@0.1.0;",
        "package t:t@0.2.0;",
        expect![[r#"
            t:t@0.1.0: was removed; keep it; what breaks users belongs into a new major
                version beside this one
        "#]],
    );
    check(
        "package t:t@1.2.0;",
        "package t:u@1.2.0;",
        expect![[r#"
            t:t@1.2.0: was removed; keep it; what breaks users belongs into a new major
                version beside this one
        "#]],
    );
}
