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
    check(
        "pms:billing/billing-service@1.0.0",
        &naming,
        expect![[r#"
        // Derived from the WIT package pms:billing@1.0.0. Do not edit.
        //
        // Billing: one account for every patient, and a ledger that only grows.

        syntax = "proto3";

        // Opening an account, as every client of the original system knows it: over gRPC this is the
        // service `BillingService`, without a package.
        service BillingService {
          // Opens a billing account for a patient. Idempotent by patient id: the account that exists
          // already is the answer.
          rpc CreateBillingAccount(BillingRequest) returns (BillingResponse);

          // Closes a patient's account. Idempotent; a balance may remain and payments are still taken.
          // A patient without an account gets one that is closed, so that a late request to open it
          // finds it closed.
          rpc CloseBillingAccount(CloseRequest) returns (BillingResponse);
        }

        // The patient to open an account for.
        message BillingRequest {
          // The patient's id, a UUID.
          string patient_id = 1;
          // The patient's name.
          string name = 2;
          // The patient's e-mail address.
          string email = 3;
        }

        // The account that the patient has.
        message BillingResponse {
          // The account's id, a UUID.
          string account_id = 1;
          // `ACTIVE`, `SUSPENDED` or `CLOSED`.
          string status = 2;
        }

        // Which patient's account to close.
        message CloseRequest {
          // The patient's id, a UUID.
          string patient_id = 1;
        }
    "#]],
    );
}

#[test]
fn accounts() {
    check(
        "pms:billing/accounts",
        &naming(),
        expect![[r#"
        // Derived from the WIT package pms:billing@1.0.0. Do not edit.
        //
        // Billing: one account for every patient, and a ledger that only grows.

        syntax = "proto3";

        package pms.billing.v1;

        // Accounts and their ledgers.
        service Accounts {
          // The account with this id.
          rpc GetAccount(GetAccountRequest) returns (Account);

          // The account of this patient.
          rpc GetPatientAccount(GetPatientAccountRequest) returns (Account);

          // All accounts, a page at a time.
          rpc ListAccounts(ListAccountsRequest) returns (AccountPage);

          // Books what the patient owes.
          rpc PostCharge(Posting) returns (Entry);

          // Books what the patient paid.
          rpc RecordPayment(Posting) returns (Entry);

          // Undoes an entry with a reversing one. Each entry can be undone once; a reversal cannot.
          rpc VoidEntry(VoidRequest) returns (Entry);

          // An account with its ledger.
          rpc GetStatement(StatementRequest) returns (Statement);
        }

        // What GetAccount takes.
        message GetAccountRequest {
          string account_id = 1;
        }

        // A patient's account.
        message Account {
          // The account's id, a UUID.
          string id = 1;
          // The patient's id, a UUID.
          string patient_id = 2;
          // What may be done with it.
          AccountStatus status = 3;
          // What the patient owes; negative after paying too much.
          Money balance = 4;
          // RFC 3339, UTC.
          string created_at = 5;
          // RFC 3339, UTC.
          string updated_at = 6;
        }

        // An exact amount of money.
        message Money {
          // In the currency's smallest unit: 12.50 EUR is 1250.
          int64 minor_units = 1;
          // ISO 4217, such as `EUR`.
          string currency = 2;
        }

        // What GetPatientAccount takes.
        message GetPatientAccountRequest {
          string patient_id = 1;
        }

        // Which accounts to list.
        message ListAccountsRequest {
          // At most so many, 1 to 500; 0 means 50.
          uint32 limit = 1;
          // The `next` of the page before; empty for the first page.
          string after = 2;
        }

        // Accounts in order of their ids.
        message AccountPage {
          // The accounts.
          repeated Account accounts = 1;
          // Where the next page begins; empty after the last.
          string next = 2;
        }

        // Something to be booked.
        message Posting {
          // The account's id.
          string account_id = 1;
          // A UUID made by the client. The same id with the same content is answered with the entry
          // that exists; with other content it is refused.
          string entry_id = 2;
          // How much, above zero.
          Money amount = 3;
          // What it is for, 1 to 200 characters.
          string description = 4;
        }

        // One entry of an account's ledger. Entries are never changed or removed.
        message Entry {
          // The entry's id, a UUID that the client made: the key by which a repeated call is known.
          string id = 1;
          // The account's id.
          string account_id = 2;
          // What it does.
          EntryKind kind = 3;
          // What it adds to the balance: positive for a charge, negative for a payment.
          Money amount = 4;
          // What it is for.
          string description = 5;
          // The entry that this one undoes.
          optional string reverses = 6;
          // RFC 3339, UTC.
          string posted_at = 7;
        }

        // An entry to be undone.
        message VoidRequest {
          // The account's id.
          string account_id = 1;
          // A UUID made by the client, for the reversing entry.
          string entry_id = 2;
          // The entry to undo.
          string reverses = 3;
          // Why, 1 to 200 characters.
          string description = 4;
        }

        // Which part of a statement to show.
        message StatementRequest {
          // The account's id.
          string account_id = 1;
          // At most so many entries, 1 to 500; 0 means 50.
          uint32 limit = 2;
          // The `next` of the page before; empty for the first page.
          string after = 3;
        }

        // An account and entries of its ledger, oldest first.
        message Statement {
          // The account as it is now.
          Account account = 1;
          // The entries.
          repeated Entry entries = 2;
          // Where the next page begins; empty after the last.
          string next = 3;
        }

        // What may be done with an account.
        enum AccountStatus {
          ACCOUNT_STATUS_UNSPECIFIED = 0;
          // Takes charges and payments.
          ACCOUNT_STATUS_ACTIVE = 1;
          // Takes payments only.
          ACCOUNT_STATUS_SUSPENDED = 2;
          // Takes payments only, and stays so: its patient was deleted.
          ACCOUNT_STATUS_CLOSED = 3;
        }

        // What an entry does.
        enum EntryKind {
          ENTRY_KIND_UNSPECIFIED = 0;
          // The patient owes more.
          ENTRY_KIND_CHARGE = 1;
          // The patient paid.
          ENTRY_KIND_PAYMENT = 2;
          // An earlier entry is undone.
          ENTRY_KIND_REVERSAL = 3;
        }
    "#]],
    );
}

#[test]
fn consumers() {
    check(
        "pms:patients/consumer",
        &naming(),
        expect![[r#"
        // Derived from the WIT package pms:patients@1.0.0. Do not edit.
        //
        // Patients: what other services learn of them.

        syntax = "proto3";

        package pms.patients.v1;

        import "google/protobuf/empty.proto";

        // What a component exports that consumes the topic `patient`.
        service Consumer {
          // Applies events, in order. One outcome for each delivery, in the same order.
          rpc Consume(ConsumeRequest) returns (ConsumeResponse);
        }

        // What Consume takes.
        message ConsumeRequest {
          repeated Delivery deliveries = 1;
        }

        // An event and where it was read.
        message Delivery {
          // Where it was read.
          Position position = 1;
          // What happened.
          PatientEvent event = 2;
        }

        // Where a record was read.
        message Position {
          // The topic.
          string topic = 1;
          // The partition.
          int32 partition = 2;
          // The offset.
          int64 offset = 3;
          // The record's key.
          string key = 4;
          // The record's headers, in their order; a value that is no UTF-8 is left out.
          repeated TupleStringString headers = 5;
        }

        message TupleStringString {
          string f0 = 1;
          string f1 = 2;
        }

        // One change of one patient. The first four fields are those of the original system's
        // `PatientEvent`.
        message PatientEvent {
          // The patient's id, a UUID; also the record's key.
          string patient_id = 1;
          // The patient's name; empty once deleted.
          string name = 2;
          // The patient's e-mail address; empty once deleted.
          string email = 3;
          // `PATIENT_CREATED`, `PATIENT_UPDATED` or `PATIENT_DELETED`.
          string event_type = 4;
          // The event's id, a UUID: the same change never has two.
          string event_id = 5;
          // The patient's version after the change, from 1 without gaps.
          int64 version = 6;
          // When it happened: RFC 3339, UTC.
          string occurred_at = 7;
          // ISO date; empty once deleted.
          string date_of_birth = 8;
          // ISO date; empty once deleted.
          string registered_date = 9;
        }

        // What Consume answers.
        message ConsumeResponse {
          repeated Outcome result = 1;
        }

        // What became of one delivery.
        message Outcome {
          oneof kind {
            // Applied, or known already: never deliver it again.
            google.protobuf.Empty done = 1;
            // Not now: deliver it again after so many milliseconds, and nothing of its key before.
            uint32 retry = 2;
            // Never: set it aside with this reason, which holds no patient data.
            string reject = 3;
          }
        }
    "#]],
    );
}

#[test]
fn work_from_time_to_time() {
    check(
        "pms:patients/upkeep",
        &naming(),
        expect![[r#"
        // Derived from the WIT package pms:patients@1.0.0. Do not edit.
        //
        // Patients: what other services learn of them.

        syntax = "proto3";

        package pms.patients.v1;

        // Work that the host asks for from time to time.
        service Upkeep {
          // Opens the billing accounts that could not be opened when their patients were created, a few
          // at a time. Says how many are still missing.
          rpc OpenMissingAccounts(OpenMissingAccountsRequest) returns (OpenMissingAccountsResponse);
        }

        // What OpenMissingAccounts takes.
        message OpenMissingAccountsRequest {
        }

        // What OpenMissingAccounts answers.
        message OpenMissingAccountsResponse {
          uint32 result = 1;
        }
    "#]],
    );
}

#[test]
fn the_event_of_the_topic() {
    let contract = repository();
    let event = "patient-event";
    let message = Message::derive(&contract, "pms:patients/events", event, &naming()).unwrap();
    assert_eq!(message.full_name(), "pms.patients.v1.PatientEvent");
    expect![[r#"
        // Derived from the WIT package pms:patients@1.0.0. Do not edit.
        //
        // Patients: what other services learn of them.

        syntax = "proto3";

        package pms.patients.v1;

        // One change of one patient. The first four fields are those of the original system's
        // `PatientEvent`.
        message PatientEvent {
          // The patient's id, a UUID; also the record's key.
          string patient_id = 1;
          // The patient's name; empty once deleted.
          string name = 2;
          // The patient's e-mail address; empty once deleted.
          string email = 3;
          // `PATIENT_CREATED`, `PATIENT_UPDATED` or `PATIENT_DELETED`.
          string event_type = 4;
          // The event's id, a UUID: the same change never has two.
          string event_id = 5;
          // The patient's version after the change, from 1 without gaps.
          int64 version = 6;
          // When it happened: RFC 3339, UTC.
          string occurred_at = 7;
          // ISO date; empty once deleted.
          string date_of_birth = 8;
          // ISO date; empty once deleted.
          string registered_date = 9;
        }
    "#]]
    .assert_eq(&message.proto_text());
}
