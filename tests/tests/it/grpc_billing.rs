//! Billing over gRPC, by a client that knows its contract from reflection alone: the calls of the
//! original system, and an account's life. And `grpc-requests/`, as a person runs it.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use tonic::Code;
use uuid::Uuid;
use ward_tests::{Grpc, Options, Patient, Repository, Ward};

const ACCOUNTS: &str = "pms.billing.v1.Accounts";

/// A client of this ward's gRPC listener with a token of the demo user.
async fn client(ward: &Ward) -> Grpc {
    let token = ward.user().await.token().to_owned();
    Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await.with_token(&token)
}

fn money(minor_units: i64) -> Value {
    // Integers of 64 bits are strings in protobuf's JSON.
    json!({"minorUnits": minor_units.to_string(), "currency": "EUR"})
}

#[tokio::test]
async fn the_contract_is_the_one_that_clients_of_the_original_know() {
    let client = client(Ward::shared()).await;
    let services = client.services();
    for service in ["BillingService", ACCOUNTS, "grpc.health.v1.Health"] {
        assert!(services.contains(service), "{services:?}");
    }
    let fields = |message| client.fields(message);
    let request = [("patientId", 1), ("name", 2), ("email", 3)];
    assert_eq!(fields("BillingRequest"), request.map(|(n, i)| (n.to_owned(), i)));
    let response = [("accountId", 1), ("status", 2)];
    assert_eq!(fields("BillingResponse"), response.map(|(n, i)| (n.to_owned(), i)));
}

/// A new entry of so much.
fn posting(account: &str, minor_units: i64) -> Value {
    json!({
        "accountId": account, "entryId": Uuid::new_v4().to_string(), "amount": money(minor_units),
        "description": "Consultation",
    })
}

#[tokio::test]
async fn an_account_from_its_opening_to_a_statement() {
    let ward = Ward::shared();
    let client = client(ward).await;
    let user = ward.user().await;
    let created = user.create(&Patient::unique().json()).await;
    assert_eq!(created.status, 201, "{created:?}");
    let patient = created.json()["id"].as_str().unwrap().to_owned();

    let legacy = json!({"patientId": patient, "name": "A", "email": "a@example.com"});
    let opened = client.call("BillingService/CreateBillingAccount", &legacy).await.unwrap();
    assert_eq!(opened["status"], "ACTIVE");
    let account = opened["accountId"].as_str().unwrap().to_owned();
    let again = client.call("BillingService/CreateBillingAccount", &legacy).await.unwrap();
    assert_eq!(again, opened, "one account for each patient");

    let call = async |method: &str, message: Value| {
        client.call(&format!("{ACCOUNTS}/{method}"), &message).await
    };
    let found = call("GetPatientAccount", json!({"patientId": patient})).await.unwrap();
    assert_eq!((&found["id"], &found["balance"]), (&json!(account), &money(0)));

    let charge = posting(&account, 1250);
    let posted = call("PostCharge", charge.clone()).await.unwrap();
    assert_eq!(call("PostCharge", charge.clone()).await.unwrap(), posted, "known by its id");
    let mut other = charge.clone();
    other["amount"] = money(9);
    let status = call("PostCharge", other).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists, "{status:?}");
    call("RecordPayment", posting(&account, 250)).await.unwrap();
    let mut refund = posting(&account, 251);
    let status = call("RecordRefund", refund.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    refund["amount"] = money(50);
    let refunded = call("RecordRefund", refund.clone()).await.unwrap();
    assert_eq!(refunded["kind"], "ENTRY_KIND_REFUND");
    assert_eq!(call("RecordRefund", refund).await.unwrap(), refunded, "known by its id");
    let statement = call("GetStatement", json!({"accountId": account})).await.unwrap();
    assert_eq!(statement["account"]["balance"], money(1050));
    assert_eq!(statement["entries"].as_array().unwrap().len(), 3);

    let status = call("GetAccount", json!({"accountId": Uuid::new_v4().to_string()})).await;
    assert_eq!(status.unwrap_err().code(), Code::NotFound);
    let mut wrong = charge;
    wrong["amount"]["currency"] = json!("euro");
    let status = call("PostCharge", wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = String::from_utf8_lossy(status.details()).into_owned();
    assert!(details.contains("google.rpc.BadRequest"), "{details}");
    assert!(details.contains("amount.currency"), "{details}");

    // Fields are named as the client knows them, in the details and in words.
    let status = call("PostCharge", posting(&account, 0)).await.unwrap_err();
    let details = String::from_utf8_lossy(status.details()).into_owned();
    for text in [status.message(), &details] {
        assert!(text.contains("amount.minor_units"), "{text}");
    }
}

#[tokio::test]
async fn accounts_follow_patients_whatever_clients_say() {
    let ward = Ward::shared();
    let (client, user) = (client(ward).await, ward.user().await);
    let open = async |patient: &str| {
        let message = json!({"patientId": patient, "name": "A", "email": "a@example.com"});
        client.call("BillingService/CreateBillingAccount", &message).await
    };
    let close = async |patient: &str| {
        let message = json!({"patientId": patient});
        client.call("BillingService/CloseBillingAccount", &message).await
    };
    let nobody = Uuid::new_v4().to_string();
    assert_eq!(open(&nobody).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(close(&nobody).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(open(&nobody).await.unwrap_err().code(), Code::NotFound, "none was made");

    let created = user.create(&Patient::unique().json()).await;
    let patient = created.json()["id"].as_str().unwrap().to_owned();
    let opened = open(&patient).await.unwrap();
    let status = close(&patient).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    assert_eq!(open(&patient).await.unwrap(), opened, "it is as it was");
    let query = "SELECT outcome FROM audit_log WHERE patient_id = $1::text::uuid \
                 AND action = 'CLOSE' ORDER BY seq";
    let noted = ward.database("billing").await.rows(query, &[&patient]).await;
    assert_eq!(noted, [json!({"outcome": "REFUSED"})]);

    assert_eq!(user.delete(created.header("location")).await.status, 204);
    let closed = close(&patient).await.unwrap();
    assert_eq!(closed, json!({"accountId": opened["accountId"], "status": "CLOSED"}));
    assert_eq!(open(&patient).await.unwrap(), closed, "and it stays closed");
}

/// It is for components that `spin.toml` links to billing: whoever calls it is believed.
#[tokio::test]
async fn what_the_patients_service_calls_is_served_to_nobody() {
    let client = client(Ward::shared()).await;
    let services = client.services();
    assert!(!services.iter().any(|service| service.contains("PatientAccounts")), "{services:?}");
}

#[tokio::test]
async fn without_a_token_nobody_is_let_in() {
    let client = Grpc::connect(Ward::shared().listener("grpc").unwrap()).await;
    for service in ["BillingService", ACCOUNTS] {
        for method in client.methods(service) {
            let status = client.call(&format!("{service}/{method}"), &json!({})).await;
            assert_eq!(status.unwrap_err().code(), Code::Unauthenticated, "{service}/{method}");
        }
    }
}

#[tokio::test]
async fn every_request_of_the_manual_is_answered() {
    let repository = Repository::here();
    let ward = tokio::task::spawn_blocking(|| Ward::start(Options::demo())).await.unwrap();
    let client = client(&ward).await;
    let manual = repository.read("grpc-requests/README.md");
    let mut used = BTreeSet::new();
    for line in manual.lines().filter(|line| line.contains(" -d @ ")) {
        let (command, file) = line.split_once(" < ").expect("a file");
        let method = command.split_whitespace().last().expect("a method");
        let message = serde_json::from_str(&repository.read(file)).expect("JSON");
        // Twice, because the manual says that this is safe.
        for _ in 0..2 {
            let answer = client.call(method, &message).await;
            assert!(answer.is_ok(), "{line}: {answer:?}");
        }
        used.insert(file.to_owned());
    }
    let files = repository.files().into_iter();
    let files = files.filter(|path| path.starts_with("grpc-requests/") && path.ends_with(".json"));
    assert_eq!(used, files.collect(), "each file is in the manual");
    tokio::task::spawn_blocking(move || drop(ward)).await.unwrap();
}
