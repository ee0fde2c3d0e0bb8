//! The repository's own contracts as .proto text: the snapshots are files that protoc takes. Those
//! under `docs/api` are also what a gRPC client is generated from, for the end-to-end tests.

use expect_test::{ExpectFile, expect_file};
use ward_wire::{Message, Naming, Service};

use crate::tools::{naming, repository};

fn check(interface: &str, naming: &Naming, text: ExpectFile) {
    let service = Service::derive(&repository(), interface, naming).unwrap();
    text.assert_eq(&service.proto_text());
}

#[test]
fn the_legacy_contract_has_no_package() {
    let naming = Naming { package: Some(String::new()), ..naming() };
    let text = expect_file!["../../../../docs/api/billing_service.proto"];
    check("pms:billing/billing-service@1.0.0", &naming, text);
}

#[test]
fn accounts() {
    check("pms:billing/accounts", &naming(), expect_file!["../../../../docs/api/accounts.proto"]);
}

#[test]
fn consumers() {
    check("pms:patients/consumer", &naming(), expect_file!["snapshots/consumer.proto"]);
}

#[test]
fn the_event_of_the_topic() {
    let contract = repository();
    let event = "patient-event";
    let message = Message::derive(&contract, "pms:patients/events", event, &naming()).unwrap();
    assert_eq!(message.full_name(), "pms.patients.v1.PatientEvent");
    expect_file!["snapshots/event.proto"].assert_eq(&message.proto_text());
}
