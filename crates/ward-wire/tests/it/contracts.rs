//! The repository's own contracts as .proto text.

use expect_test::{Expect, expect};
use ward_wire::{Message, Naming, Service};

use crate::tools::{naming, repository};

fn check(interface: &str, naming: &Naming, text: Expect) {
    let service = Service::derive(&repository(), interface, naming).unwrap();
    text.assert_eq(&service.proto_text());
}

#[test]
fn the_legacy_contract_has_no_package() {
    let naming = Naming { package: Some(String::new()), ..naming() };
    check("pms:billing/billing-service@1.0.0", &naming, expect![[""]]);
}

#[test]
fn accounts() {
    check("pms:billing/accounts", &naming(), expect![[""]]);
}

#[test]
fn consumers() {
    check("pms:patients/consumer", &naming(), expect![[""]]);
}

#[test]
fn work_from_time_to_time() {
    check("pms:patients/upkeep", &naming(), expect![[""]]);
}

#[test]
fn the_event_of_the_topic() {
    let contract = repository();
    let event = "patient-event";
    let message = Message::derive(&contract, "pms:patients/events", event, &naming()).unwrap();
    assert_eq!(message.full_name(), "pms.patients.v1.PatientEvent");
    expect![[""]].assert_eq(&message.proto_text());
}
