//! `ward wit`: the repository's contracts hold what was released, a change that would break someone
//! is refused where it stands, and the .proto text is what clients are built with.

use std::path::Path;
use std::process::Output;

use ward_tests::{Repository, Ward};

/// What the original system's clients were generated from, as far as bytes depend on it.
const LEGACY: [&str; 7] = [
    "service BillingService {",
    "rpc CreateBillingAccount(BillingRequest) returns (BillingResponse);",
    "string patient_id = 1;",
    "string name = 2;",
    "string email = 3;",
    "string account_id = 1;",
    "string status = 2;",
];

#[test]
fn the_contracts_break_nothing_that_was_released() {
    let text = succeeded(&["wit", "check"], Repository::here().root());
    assert!(text.contains("nothing breaks wit/released"), "{text}");
}

#[test]
fn a_change_that_breaks_someone_is_refused_where_it_stands() {
    let name = "        /// The patient's name.\n        name: string,\n";
    let text = refused("billing/billing.wit", |text| {
        assert!(text.contains(name));
        text.replace(name, "")
    });
    for wanted in ["pms:billing/billing-service.billing-request.name", "billing.wit:", "field 2"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    assert!(!text.contains("billing-response"), "{text}");
}

#[test]
fn several_breaking_changes_are_refused_at_once() {
    let text = refused("patients/patients.wit", |text| {
        let text = text.replace("version: s64,", "version: s32,");
        text.replace("interface consumer", "interface listener")
    });
    for wanted in ["patient-event.version", "s64", "s32", "pms:patients/consumer: was removed"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn additions_at_the_end_are_taken() {
    let directory = copy("billing/billing.wit", |text| {
        text.replace("        closed,\n", "        closed,\n        frozen,\n")
    });
    succeeded(&["wit", "check"], directory.path());
}

#[test]
fn contracts_that_cannot_be_read_are_named_with_their_lines() {
    let text = refused("common/common.wit", |text| text.replace("record caller {", "record {"));
    assert!(text.contains("common.wit:11:12"), "{text}");
    let empty = tempfile::tempdir().expect("a directory");
    let output = Ward::run(&["wit", "check"], empty.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(text_of(&output).contains("reading the contracts in wit"), "{output:?}");
}

#[test]
fn nothing_has_to_be_released_yet() {
    let directory = copy("billing/billing.wit", |text| text);
    std::fs::remove_dir_all(directory.path().join("wit/released")).expect("a directory");
    let text = succeeded(&["wit", "check"], directory.path());
    assert!(text.contains("nothing was released yet"), "{text}");
}

#[test]
fn the_legacy_contract_is_printed_as_its_clients_know_it() {
    let arguments = ["wit", "proto", "pms:billing/billing-service", "--package", ""];
    let text = succeeded(&arguments, Repository::here().root());
    for line in LEGACY {
        assert!(text.lines().any(|printed| printed.trim() == line), "{line} in {text}");
    }
    assert!(!text.contains("\npackage "), "{text}");
}

#[test]
fn all_services_are_printed_when_none_is_named() {
    let text = succeeded(&["wit", "proto"], Repository::here().root());
    for wanted in ["service Accounts {", "service BillingService {", "service Consumer {"] {
        assert_eq!(text.matches(wanted).count(), 1, "{wanted} in {text}");
    }
    assert_eq!(text.matches("message Account {").count(), 1);
    let event = succeeded(&["wit", "proto", "pms:patients/events"], Repository::here().root());
    assert!(event.contains("message PatientEvent {") && !event.contains("\nservice "), "{event}");
}

#[test]
fn an_interface_that_is_not_there_is_refused_with_those_that_are() {
    let output = Ward::run(&["wit", "proto", "pms:billing/none"], Repository::here().root());
    assert_eq!(output.status.code(), Some(1));
    assert!(text_of(&output).contains("pms:billing/accounts@1.0.0"), "{output:?}");
    assert!(output.stdout.is_empty());
}

/// A copy of the contracts in which one file was edited.
fn copy(edited: &str, edit: impl Fn(String) -> String) -> tempfile::TempDir {
    let repository = Repository::here();
    let directory = tempfile::tempdir().expect("a directory");
    for path in repository.files().iter().filter(|path| path.starts_with("wit/")) {
        let mut text = repository.read(path);
        if path.strip_prefix("wit/") == Some(edited) {
            text = edit(text);
        }
        let file = directory.path().join(path);
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }
    directory
}

/// What `ward wit check` says of contracts in which one file was edited, which it refuses.
fn refused(edited: &str, edit: impl Fn(String) -> String) -> String {
    let directory = copy(edited, edit);
    let output = Ward::run(&["wit", "check"], directory.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty());
    text_of(&output)
}

fn succeeded(arguments: &[&str], directory: &Path) -> String {
    let output = Ward::run(arguments, directory);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn text_of(output: &Output) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    part(&output.stdout) + &part(&output.stderr)
}
