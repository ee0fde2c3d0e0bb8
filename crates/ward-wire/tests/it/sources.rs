//! Where contracts come from, and what is said of those that cannot be read.

use std::path::PathBuf;

use expect_test::{Expect, expect, expect_file};
use ward_wire::{Contract, Naming, Service, merge};

use crate::protoc;
use crate::tools::{naming, repository};

fn check(sources: &[(&str, &str)], error: Expect) {
    error.assert_eq(&Contract::from_sources(sources).unwrap_err().to_string());
}

#[test]
fn errors_have_positions() {
    check(
        &[("a.wit", "package a:a;\ninterface i {\n  f: func(\n}"), ("b.wit", "package")],
        expect![[r#"
            expected an identifier or string, found '}'
                 --> a.wit:4:1
                  |
                4 | }
                  | ^

            expected an identifier or string, found eof
                 --> b.wit:1:8
                  |
                1 | package
                  |        ^"#]],
    );
    check(
        &[("a.wit", "package a:a;\ninterface i { use b:b/i.{t}; }")],
        expect![[r#"
        package 'b:b' not found. known packages:
            a:a
             --> a.wit:2:19
              |
            2 | interface i { use b:b/i.{t}; }
              |                   ^--"#]],
    );
    check(
        &[("a.wit", "package a:a;"), ("b.wit", "package a:a;\ninterface i {}")],
        expect![[r#"
        package `a:a` is defined in two different locations:
          * a.wit:1:9
          * b.wit:1:9"#]],
    );
    // WIT itself has no recursive types.
    check(
        &[("a.wit", "package a:a;\ninterface i {\n  record r { next: option<r> }\n}")],
        expect![[r#"
            type `r` depends on itself
                 --> a.wit:3:27
                  |
                3 |   record r { next: option<r> }
                  |                           ^"#]],
    );
}

#[test]
fn directories_that_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let error = |directory: PathBuf| {
        let error = Contract::from_directories(&[directory]).unwrap_err().to_string();
        error.replace(&path.display().to_string(), "<dir>")
    };
    expect!["<dir>: there is no .wit file in it"].assert_eq(&error(path.to_owned()));
    assert!(error(path.join("none")).starts_with("<dir>/none: "));
}

/// The world `billing` of `wit/billing` as a component that does nothing, made by wit-component
/// 0.254.2: `dummy_module`, `embed_component_metadata`, `ComponentEncoder`.
const COMPONENT: &[u8] = include_bytes!("fixtures/billing.wasm");

#[test]
fn components_say_what_they_export() {
    let component = Contract::from_component(COMPONENT).unwrap();
    let exports = ["pms:billing/billing-service@1.0.0", "pms:billing/accounts@1.0.0"];
    assert_eq!(component.exports(), exports);
    for interface in exports {
        let derive = |contract: &Contract| Service::derive(contract, interface, &naming()).unwrap();
        let (binary, text) = (derive(&component), derive(&repository()));
        // Comments are all that a binary lacks.
        let set = |service: &Service| protoc::without_comments(service.file_descriptor_set());
        assert_eq!(set(&binary), set(&text));
        assert_eq!(binary.interface(), interface);
    }
}

#[test]
fn refusals_of_components_have_paths_alone() {
    let component = Contract::from_component(COMPONENT).unwrap();
    // Without a name for the caller it is a parameter like any other, and the request a second.
    let naming = Naming::default();
    let refusals = Service::derive(&component, "pms:billing/accounts", &naming).unwrap_err();
    expect![[r#"
        pms:billing/accounts.list-accounts-request:
            `pms.billing.v1.ListAccountsRequest` is already the protobuf name of
            the request of `list-accounts`
    "#]]
    .assert_eq(&crate::tools::lines(&refusals));
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    for bytes in [&[][..], b"text", &COMPONENT[..100], &COMPONENT[..COMPONENT.len() - 1]] {
        assert!(Contract::from_component(bytes).is_err());
    }
}

#[test]
fn interfaces_functions_and_records() {
    let contract = repository();
    expect![[r#"
        [
            "pms:billing/billing-service@1.0.0",
            "pms:billing/patient-accounts@1.0.0",
            "pms:billing/accounts@1.0.0",
            "pms:billing/events@1.0.0",
            "pms:common/types@1.0.0",
            "pms:common/refusals@1.0.0",
            "pms:patients/events@1.0.0",
            "pms:patients/consumer@1.0.0",
        ]
    "#]]
    .assert_debug_eq(&contract.interfaces());
    assert!(contract.exports().is_empty());
    assert_eq!(
        contract.functions("pms:billing/billing-service"),
        ["create-billing-account", "close-billing-account"]
    );
    assert_eq!(contract.records("pms:patients/consumer"), ["position", "delivery"]);
    assert!(contract.functions("pms:billing/none").is_empty());
    let fields = contract.fields("pms:billing/accounts", "money");
    assert_eq!(fields, Some(vec!["minor-units".to_owned(), "currency".to_owned()]));
    assert_eq!(contract.fields("pms:billing/accounts", "account-status"), None);
}

#[test]
fn services_share_files() {
    let contract = repository();
    let accounts = Service::derive(&contract, "pms:billing/accounts", &naming()).unwrap();
    let service = Service::derive(&contract, "pms:billing/billing-service", &naming()).unwrap();
    let merged = merge(&[&accounts, &service]).unwrap();
    let names = |name: &str| {
        let file = merged.file.iter().find(|file| file.name() == name).unwrap();
        file.service.iter().map(|service| service.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("pms/billing/v1/billing.proto"), ["Accounts", "BillingService"]);
    prost_reflect::DescriptorPool::from_file_descriptor_set(merged).unwrap();
}

#[test]
fn services_that_share_a_name_do_not_mix() {
    let text = |field: &str| {
        format!(
            "package t:t@1.0.0;
             interface a {{ record r {{ a: {field} }} f: func(r: r); }}
             interface b {{ record r {{ a: u32 }} g: func(r: r); }}"
        )
    };
    let check = |field: &str| {
        let contract = Contract::from_sources(&[("t.wit", &text(field))]).unwrap();
        let service = |name: &str| Service::derive(&contract, name, &Naming::default()).unwrap();
        merge(&[&service("t:t/a"), &service("t:t/b")])
    };
    assert!(check("u32").is_ok());
    expect![[r#"
        t.t.v1.R: two services have different things of this name in
            t/t/v1/t.proto; give one of them another package
    "#]]
    .assert_eq(&crate::tools::lines(&check("u64").unwrap_err()));
}

const IMPORTING: [(&str, &str); 3] = [
    ("a.wit", "/// All that is.\npackage x:a@0.2.0; interface t { record r { a: u32 } }"),
    ("b.wit", "package a:x@1.0.0; interface t { use x:a/t@0.2.0.{r}; variant v { n, r(r) } }"),
    (
        "c.wit",
        "package x:c; interface i {
           use a:x/t@1.0.0.{v as w};
           use x:a/t@0.2.0.{r};
           f: func(w: w) -> list<r>;
         }",
    ),
];

#[test]
fn types_of_other_packages_are_imported() {
    let contract = Contract::from_sources(&IMPORTING).unwrap();
    // The package's second part hides the first part of the others.
    let naming = Naming { package: Some("b.x.a".to_owned()), ..Naming::default() };
    let service = Service::derive(&contract, "x:c/i", &naming).unwrap();
    let theirs = protoc::compile(&service.proto_files());
    let ours = service.file_descriptor_set();
    assert_eq!(protoc::without_comments(theirs), protoc::without_comments(ours));
    expect_file!["snapshots/imports.proto"].assert_eq(&service.proto_text());
}
