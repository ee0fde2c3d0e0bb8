//! The API in words: what the table and the readers cannot say. The document that comes of it is
//! `docs/api/billing.json`, which this test keeps.

use kit::describe::{Asked, asked};
use kit::etag::Expected;
use openapi::{About, Api};
use serde_json::{Value, json};

use super::handlers::{Shown, TRAIL, paged};
use super::{Handler, bodies};
use crate::limits::{AMOUNT_MAX_MINOR_UNITS, DESCRIPTION_MAX_CHARS, NAME_MAX_CHARS};
use crate::model::{Account, Entry, Kind};

const ACCOUNT: &str = "b1111111-0000-4000-8000-000000000000";
const PATIENT: &str = "123e4567-e89b-12d3-a456-426614174000";
const ENTRY: &str = "0b0e6c1e-3c5f-4c8e-9a55-3d6f6f1c0001";
const MOMENT: &str = "2024-01-10T09:30:00.000000Z";

fn money(minor_units: i64) -> Value {
    json!({ "minorUnits": minor_units, "currency": "EUR" })
}

fn account() -> Value {
    json!({
        "id": ACCOUNT, "patientId": PATIENT, "status": "ACTIVE", "balance": money(12500),
        "version": 2, "createdAt": MOMENT, "updatedAt": MOMENT,
    })
}

fn entry() -> Value {
    json!({
        "id": ENTRY, "accountId": ACCOUNT, "kind": "CHARGE", "amount": money(12500),
        "description": "Consultation", "balanceAfter": money(12500), "postedAt": MOMENT,
    })
}

fn uuid(description: &str) -> Value {
    json!({ "format": "uuid", "description": description })
}

fn uuid_of(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

fn line(max: usize, description: &str) -> Value {
    json!({ "format": "line", "minLength": 1, "maxLength": max, "description": description })
}

/// The fields of an opening, where every patient has an address.
fn opening() -> Vec<Asked> {
    asked(|| bodies::opening(json!({}), false))
}

fn documents(api: Api) -> Api {
    let posting = asked(|| bodies::booking(json!({}), ACCOUNT, Kind::Charge, Expected::default()));
    let voiding = asked(|| bodies::void(json!({}), ACCOUNT, Expected::default()));
    let own = uuid("Made by the client: the same entry sent twice is booked once.");
    let description = line(DESCRIPTION_MAX_CHARS, "What it is for.");
    let units = "In the currency's smallest unit: 12.50 EUR is 1250.";
    api.answer::<Account>("Account", account())
        .answer::<Vec<Account>>("Accounts", json!([account()]))
        .answer::<Entry>("Entry", entry())
        .answer::<Shown<'_>>("Statement", json!({ "account": account(), "entries": [entry()] }))
        .body(
            "Opening",
            &opening(),
            &[
                ("patientId", uuid("Whose account it is.")),
                ("name", line(NAME_MAX_CHARS, "Checked, and not kept.")),
                (
                    "email",
                    json!({
                        "format": "email", "maxLength": kit::email::MAX_CHARS,
                        "description": "Checked, and not kept.",
                    }),
                ),
            ],
            json!({ "patientId": PATIENT, "name": "Ada Lovelace", "email": "ada@example.com" }),
        )
        .body(
            "Posting",
            &posting,
            &[
                ("id", own.clone()),
                (
                    "amount/minorUnits",
                    json!({
                        "minimum": 1, "maximum": AMOUNT_MAX_MINOR_UNITS, "description": units,
                    }),
                ),
                (
                    "amount/currency",
                    json!({
                        "pattern": "^[A-Z]{3}$", "description": "The account's (ISO 4217).",
                    }),
                ),
                ("description", description.clone()),
            ],
            json!({ "id": ENTRY, "amount": money(12500), "description": "Consultation" }),
        )
        .body(
            "Voiding",
            &voiding,
            &[("id", own), ("reverses", uuid("The entry to undo.")), ("description", description)],
            json!({ "id": PATIENT, "reverses": ENTRY, "description": "Booked twice" }),
        )
}

fn booking(summary: &'static str, description: &'static str) -> About {
    About::new(summary, description).conditional().refuses(&[409])
}

fn page() -> Vec<Asked> {
    asked(|| paged(""))
}

fn api() -> Api {
    let about = "An account for every patient, and a ledger that only grows.";
    documents(Api::new("Ward: billing", about))
        .operation(
            "billing.list",
            About::new("List accounts", "A page of all accounts.").paged().query(page(), vec![]),
        )
        .operation(
            "billing.open",
            About::new("Open an account", "Answers with the one that the patient has.")
                .tagged()
                .refuses(&[404]),
        )
        .operation("billing.account", About::new("Read an account", "One account.").tagged())
        .operation(
            "billing.patient-account",
            About::new("Read a patient's account", "By the patient's id.").tagged(),
        )
        .operation(
            "billing.statement",
            About::new("Read a statement", "The account, and a page of its entries.")
                .tagged()
                .paged()
                .query(page(), vec![]),
        )
        .operation("billing.charge", booking("Charge an account", "What the patient owes more."))
        .operation("billing.pay", booking("Take a payment", "What the patient owes less."))
        .operation(
            "billing.refund",
            booking("Give back a payment", "At most what was paid and not given back yet."),
        )
        .operation(
            "billing.void",
            booking("Undo an entry", "Books the opposite of an entry. An entry is undone once."),
        )
        .trail(
            "billing.audit",
            &TRAIL,
            &[("accountId", uuid_of("The account.")), ("entryId", uuid_of("The entry."))],
        )
}

#[test]
fn the_document_is_what_there_is() {
    let text = api().document(Handler::TABLE.operations()).unwrap();
    expect_test::expect_file!["../../../../docs/api/billing.json"].assert_eq(&text);
}
