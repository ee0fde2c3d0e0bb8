//! The contract that clients of the original system were built with, byte for byte.

use ward_wire::{Argument, Method, Naming, Service, Value};

use crate::protoc;
use crate::tools::{naming, repository};

/// The file as the original system has it.
const ORIGINAL: &str = r#"syntax = "proto3";
option java_multiple_files = true;
option java_package = "billing";
service BillingService {
  rpc CreateBillingAccount (BillingRequest) returns (BillingResponse);
}
message BillingRequest {
  string patientId = 1;
  string name = 2;
  string email = 3;
}
message BillingResponse {
  string accountId = 1;
  string status = 2;
}
"#;

/// Recorded from a client of [`ORIGINAL`].
const REQUEST: &[u8] =
    b"\x0a\x24123e4567-e89b-12d3-a456-426614174000\x12\x0cAda Lovelace\x1a\x0fada@example.org";
const RESPONSE: &[u8] = b"\x0a\x0512345\x12\x06ACTIVE";

fn method() -> Method {
    let naming = Naming { package: Some(String::new()), ..naming() };
    let service =
        Service::derive(&repository(), "pms:billing/billing-service@1.0.0", &naming).unwrap();
    assert_eq!(service.full_name(), "BillingService");
    service.methods()[0].clone()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn response() -> Value {
    let record = Value::Record(vec![text("12345"), text("ACTIVE")]);
    Value::Result(Ok(Some(Box::new(record))))
}

#[test]
fn the_rpc_has_its_name() {
    assert_eq!(method().path(), "/BillingService/CreateBillingAccount");
    assert_eq!(method().function(), "create-billing-account");
    assert_eq!((method().request(), method().response()), ("BillingRequest", "BillingResponse"));
}

#[test]
fn recorded_requests_are_read() {
    let request = [
        text("123e4567-e89b-12d3-a456-426614174000"),
        text("Ada Lovelace"),
        text("ada@example.org"),
    ];
    let arguments = [Argument::Ambient(0), Argument::Value(Value::Record(request.to_vec()))];
    assert_eq!(method().decode(REQUEST).unwrap(), arguments);
}

#[test]
fn responses_are_as_recorded() {
    let mut out = Vec::new();
    method().encode(Some(&response()), &mut out).unwrap();
    assert_eq!(out, RESPONSE);
}

#[test]
fn the_recordings_are_what_the_original_file_says() {
    let request = r#"patientId: "123e4567-e89b-12d3-a456-426614174000"
        name: "Ada Lovelace" email: "ada@example.org""#;
    assert_eq!(protoc::encode(ORIGINAL, "BillingRequest", request), REQUEST);
    let response = r#"accountId: "12345" status: "ACTIVE""#;
    assert_eq!(protoc::encode(ORIGINAL, "BillingResponse", response), RESPONSE);
}

#[test]
fn json_has_the_original_names() {
    let set = protoc::compile(&[("file.proto".to_owned(), ORIGINAL.to_owned())]);
    let naming = Naming { package: Some(String::new()), ..naming() };
    let service = Service::derive(&repository(), "pms:billing/billing-service", &naming).unwrap();
    let derived = service.file_descriptor_set();
    for original in &set.file[0].message_type {
        let messages = &derived.file[0].message_type;
        let derived = messages.iter().find(|message| message.name == original.name).unwrap();
        let fields = |message: &prost_types::DescriptorProto| {
            let fields = message.field.iter();
            fields.map(|f| (f.json_name.clone(), f.number, f.r#type)).collect::<Vec<_>>()
        };
        assert_eq!(fields(derived), fields(original));
    }
}
