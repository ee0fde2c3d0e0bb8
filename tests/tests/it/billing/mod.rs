//! Billing: accounts, the ledger, what it leaves behind, and that none of it comes apart. The
//! helpers here are for the modules below, one for each theme.

mod accounts;
mod bodies;
mod bookings;
mod ledger;
mod link;
mod races;
mod records;
mod refunds;
mod statements;
mod voids;

use serde_json::{Value, json};
use uuid::Uuid;
use ward_tests::{Answer, Api, Patient, Ward, unique_email, unique_name};

/// Where accounts are.
const ACCOUNTS: &str = "/api/billing/accounts";

/// A new patient; the ids of the patient and of its account.
async fn patient(api: &Api) -> (String, String) {
    let answer = api.create(&Patient::unique().json()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let created = answer.json();
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    (id(&created["id"]), id(&created["billing"]["accountId"]))
}

/// A request to open an account for this patient.
fn opening(patient_id: &str) -> Value {
    json!({"patientId": patient_id, "name": unique_name("Pat"), "email": unique_email("pat")})
}

/// A new account of a patient nobody else has; its id.
async fn open(api: &Api) -> String {
    patient(api).await.1
}

/// A charge, a payment or a refund with an id of its own.
fn booking(minor_units: i64) -> Value {
    json!({
        "id": unique_id(),
        "amount": {"minorUnits": minor_units, "currency": "EUR"},
        "description": "Consultation",
    })
}

/// A request to undo an entry.
fn voiding(entry: &Value) -> Value {
    json!({"id": unique_id(), "reverses": entry["id"], "description": "Booked by mistake"})
}

/// POSTs to `charges`, `payments`, `refunds` or `voids` of an account.
async fn post(api: &Api, account: &str, what: &str, body: &Value) -> Answer {
    api.send_json("POST", &format!("{ACCOUNTS}/{account}/{what}"), body).await
}

/// POSTs, insists on 201 and returns the entry.
async fn posted(api: &Api, account: &str, what: &str, body: &Value) -> Value {
    let answer = post(api, account, what, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// What the account owes, in minor units.
async fn balance(api: &Api, account: &str) -> i64 {
    let answer = api.get(&format!("{ACCOUNTS}/{account}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["balance"]["minorUnits"].as_i64().expect("a whole number")
}

/// Sets an account's status, as no operation of the API does.
async fn set_status(ward: &Ward, account: &str, status: &str) {
    let database = ward.database("billing").await;
    let statement = "UPDATE accounts SET status = $2, version = version + 1 \
                     WHERE id = $1::text::uuid";
    assert_eq!(database.run(statement, &[&account, &status]).await, Ok(1));
}

/// The slug of a problem's type.
fn slug(problem: &Value) -> &str {
    let kind = problem["type"].as_str().expect("a type");
    kind.strip_prefix("urn:ward:problem:").expect("one of our types")
}

fn unique_id() -> String {
    Uuid::new_v4().to_string()
}
