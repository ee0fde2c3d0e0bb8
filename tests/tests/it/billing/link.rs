//! Patients and billing together: who is created has an account, whose account is closed was
//! deleted, and no failure of billing keeps anybody from being created or deleted, or is forgotten.

use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use ward_tests::{Answer, Api, Options, Patient, Repository, Ward, wasm};

use super::{booking, post, slug};

/// How long an account may take that was not opened at once, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn who_is_created_has_an_account() {
    let ward = Ward::shared();
    let (api, user) = ward.with_role("ADMIN");
    let created = api.create(&Patient::unique().json()).await;
    assert_eq!(created.status, 201, "{created:?}");
    let body = created.json();
    assert_eq!(body["billing"]["status"], "ACTIVE", "{body}");
    let patient = body["id"].as_str().expect("an id");
    let account = account_of(&api, patient).await.json();
    assert_eq!(account["id"], body["billing"]["accountId"]);
    assert_eq!(account["status"], "ACTIVE");

    // In the caller's name, and within the caller's request.
    let query = "SELECT action, actor, role, request_id FROM audit_log \
                 WHERE patient_id = $1::text::uuid ORDER BY seq LIMIT 1";
    let opened = ward.database("billing").await.rows(query, &[&patient]).await;
    let request_id = created.header("x-request-id");
    let expected =
        json!({"action": "OPEN", "actor": user, "role": "ADMIN", "request_id": request_id});
    assert_eq!(opened, [expected]);
}

#[tokio::test]
async fn reading_and_replacing_a_patient_say_nothing_of_billing() {
    let api = Ward::shared().user().await;
    let created = api.create(&Patient::unique().json()).await;
    let path = created.header("location");
    assert!(api.get(path).await.json().get("billing").is_none());
    let replaced = api.replace(path, &Patient::unique().json()).await;
    assert!(replaced.json().get("billing").is_none(), "{replaced:?}");
}

#[tokio::test]
async fn whose_patient_is_deleted_is_closed() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let created = api.create(&Patient::unique().json()).await;
    let body = created.json();
    let patient = body["id"].as_str().expect("an id");
    let account = body["billing"]["accountId"].as_str().expect("an account");
    super::posted(&api, account, "charges", &booking(100)).await;
    assert_eq!(api.delete(created.header("location")).await.status, 204);
    let closed = account_of(&api, patient).await.json();
    assert_eq!(closed["status"], "CLOSED");
    assert_eq!(closed["balance"]["minorUnits"], 100, "a debt stays");
    let refused = post(&api, account, "charges", &booking(1)).await.problem(409);
    assert_eq!(slug(&refused), "account-not-active");
    super::posted(&api, account, "payments", &booking(100)).await;
}

#[tokio::test]
async fn the_demo_patients_have_accounts_whether_or_not_events_flow() {
    let arguments = ["--kafka-brokers", "127.0.0.1:1"].map(str::to_owned).to_vec();
    let ward = Ward::start(Options { arguments, ..Options::demo() });
    let api = ward.user().await;
    for last in 0..10 {
        let patient = format!("123e4567-e89b-12d3-a456-42661417400{last}");
        let account = api.get(&format!("/api/billing/patients/{patient}/account")).await;
        assert_eq!(account.status, 200, "{account:?}");
    }
}

#[tokio::test]
async fn while_billing_fails_patients_come_and_go_and_nothing_is_forgotten() {
    let home = Ward::new_home();
    let mut ward = Ward::start(Options::demo());
    let api = ward.user().await;
    let before = api.create(&Patient::unique().json()).await;
    assert_eq!(before.json()["billing"]["status"], "ACTIVE", "{before:?}");
    assert!(ward.stop().success(), "{}", ward.log());

    ward.start_again_from(Some(without_billing(home.path().join("spin.toml"))));
    let failing = ward.api().with_token(api.token());
    let created = failing.create(&Patient::unique().json()).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json()["billing"], json!({"status": "PENDING"}));
    assert_eq!(failing.get(created.header("location")).await.json(), created.patient());
    let short = failing.create(&Patient::unique().json()).await;
    assert_eq!(short.json()["billing"], json!({"status": "PENDING"}));
    for gone in [&before, &short] {
        let deleted = failing.delete(gone.header("location")).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
    }
    assert!(ward.stop().success(), "{}", ward.log());

    ward.start_again_from(None);
    let back = ward.api().with_token(api.token());
    settled(&back, &id(&created), &["ACTIVE"]).await;
    // One that never had an account has one that is closed: nothing opens it any more.
    for gone in [&before, &short] {
        settled(&back, &id(gone), &["CLOSED"]).await;
    }
    assert!(ward.stop().success(), "{}", ward.log());
    let log = ward.log();
    for patient in [&before, &created, &short] {
        let name = patient.json()["name"].as_str().expect("a name").to_owned();
        assert!(!log.contains(&name), "no patient data in the log");
    }
}

#[tokio::test]
async fn two_wards_share_the_events_and_nobody_is_forgotten() {
    let mut ward = Ward::start(Options::demo());
    let mut replica = Ward::start(ward.replica());
    let patients = ward.database("patients").await;
    // Straight into the database, so that only the events tell billing.
    let made = "WITH made AS (INSERT INTO patients \
                (name, name_key, email, address, date_of_birth, registered_date) \
                SELECT 'Pat', 'pat', 'pat' || n || '@example.test', 'x', '2000-01-01', \
                '2024-01-01' FROM generate_series(1, 200) n RETURNING *) \
                INSERT INTO outbox (aggregate_id, aggregate_version, type, payload) \
                SELECT id, version, 'PATIENT_CREATED', jsonb_build_object('name', name, \
                'email', email, 'dateOfBirth', date_of_birth) FROM made";
    assert_eq!(patients.run(made, &[]).await, Ok(200));
    let ids = patients.rows("SELECT id FROM patients ORDER BY id", &[]).await;
    let billing = ward.database("billing").await;
    let accounts = "SELECT patient_id AS id FROM accounts WHERE status = 'ACTIVE' ORDER BY 1";
    let start = Instant::now();
    while billing.rows(accounts, &[]).await != ids {
        assert!(start.elapsed() < PATIENCE, "accounts are missing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let query = "SELECT DISTINCT role FROM audit_log WHERE action = 'OPEN' AND actor IS NULL";
    assert_eq!(billing.rows(query, &[]).await, [json!({"role": "SYSTEM"})]);
    let query = "SELECT count(*) AS n FROM audit_log WHERE action = 'OPEN' AND request_id IS NULL";
    assert_eq!(billing.rows(query, &[]).await, [json!({"n": 0})], "each names its event");
    assert!(replica.stop().success(), "{}", replica.log());
    assert!(ward.stop().success(), "{}", ward.log());
}

/// The application with a component in billing's place that traps or hangs.
fn without_billing(file: PathBuf) -> PathBuf {
    let manifest = Repository::here().manifest_for_anywhere();
    let billing = wasm("billing").display().to_string();
    let failing = wasm("guest_failing_billing").display().to_string();
    let manifest = manifest.replace(&billing, &failing);
    assert!(manifest.matches("guest_failing_billing").count() >= 2, "the source and the link");
    std::fs::write(&file, manifest).expect("a file is written");
    file
}

fn id(created: &Answer) -> String {
    created.json()["id"].as_str().expect("an id").to_owned()
}

async fn account_of(api: &Api, patient: &str) -> Answer {
    api.get(&format!("/api/billing/patients/{patient}/account")).await
}

/// Waits until the patient has an account in one of these states.
async fn settled(api: &Api, patient: &str, states: &[&str]) {
    let start = Instant::now();
    loop {
        let account = account_of(api, patient).await;
        if account.status == 200 {
            let status = account.json()["status"].as_str().expect("a status").to_owned();
            if states.contains(&status.as_str()) {
                return;
            }
        }
        assert!(start.elapsed() < PATIENCE, "{patient}: {account:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
