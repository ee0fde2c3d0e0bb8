//! What the API does not show: every change leaves its event, every access its audit row, in the
//! same transaction, and neither can be rewritten by the service.

use serde_json::{Value, json};
use ward_tests::{Api, Database, Patient, Ward, claims};

#[tokio::test]
async fn each_change_leaves_one_event() {
    let (ward, api) = (Ward::shared(), Ward::shared().user().await);
    let database = ward.database("patients").await;
    let first = Patient::unique();
    let id = create(&api, &first).await;
    let path = format!("/api/patients/{id}");
    let second = Patient::unique();
    api.replace(&path, &second.json()).await;
    api.delete(&path).await;
    let events = events(&database, &id).await;
    let seen: Vec<(&str, i64)> = events.iter().map(kind_and_version).collect();
    let expected = [("PATIENT_CREATED", 1), ("PATIENT_UPDATED", 2), ("PATIENT_DELETED", 3)];
    assert_eq!(seen, expected);
    assert_eq!(events[0]["payload"]["name"], first.name);
    assert_eq!(events[1]["payload"]["email"], second.email);
    for event in &events {
        assert!(event["id"].is_string() && event["occurred_at"].is_string(), "{event}");
    }
}

#[tokio::test]
async fn what_changes_nothing_leaves_no_event() {
    let (ward, api) = (Ward::shared(), Ward::shared().user().await);
    let database = ward.database("patients").await;
    let taken = Patient::unique();
    create(&api, &taken).await;
    let id = create(&api, &Patient::unique()).await;
    let path = format!("/api/patients/{id}");
    let conflict = Patient::unique().with("email", taken.email.clone());
    api.replace(&path, &conflict).await.problem(409);
    api.replace(&path, &json!({})).await.problem(400);
    let stale = api.request("PUT", &path).header("if-match", "\"0\"");
    ward_tests::Answer::of(stale.json(&Patient::unique().json())).await.problem(412);
    assert_eq!(events(&database, &id).await.len(), 1);
}

#[tokio::test]
async fn each_access_leaves_one_audit_row() {
    let ward = Ward::shared();
    let mut own = claims();
    own["sub"] = uuid::Uuid::new_v4().to_string().into();
    let actor = own["sub"].as_str().expect("a subject").to_owned();
    let api = ward.api().with_token(&ward.forge().sign(&own));
    let id = create(&api, &Patient::unique()).await;
    let path = format!("/api/patients/{id}");
    api.get(&path).await;
    api.replace(&path, &Patient::unique().json()).await;
    api.delete(&path).await;
    api.get(&path).await.problem(404);
    api.get("/api/patients?limit=1").await;
    let rows = audit(&ward.database("patients").await, &actor).await;
    let actions: Vec<&str> = rows.iter().map(|row| row["action"].as_str().expect("text")).collect();
    assert_eq!(rows.len(), 6, "one row for each access: {actions:?}");
    for row in &rows {
        assert_eq!(row["role"], "ADMIN");
        assert!(row["at"].is_string() && row["outcome"].is_string(), "{row}");
    }
    let about = |row: &&Value| row["patient_id"] == id;
    assert_eq!(rows.iter().filter(about).count(), 5, "{rows:?}");
    assert_ne!(rows[1]["outcome"], rows[4]["outcome"], "found and not found differ");
}

#[tokio::test]
async fn a_refused_change_is_audited_too() {
    let ward = Ward::shared();
    let mut own = claims();
    own["sub"] = uuid::Uuid::new_v4().to_string().into();
    let actor = own["sub"].as_str().expect("a subject").to_owned();
    let api = ward.api().with_token(&ward.forge().sign(&own));
    let taken = Patient::unique();
    create(&api, &taken).await;
    api.create(&taken.json()).await.problem(409);
    let id = "00000000-0000-0000-0000-0000000000aa";
    api.delete(&format!("/api/patients/{id}")).await.problem(404);
    let rows = audit(&ward.database("patients").await, &actor).await;
    assert_eq!(rows.len(), 3, "{rows:?}");
}

#[tokio::test]
async fn the_audit_log_carries_no_patient_data() {
    let (ward, api) = (Ward::shared(), Ward::shared().user().await);
    let patient = Patient { address: unique("Street"), ..Patient::unique() };
    let id = create(&api, &patient).await;
    let query = "SELECT * FROM audit_log WHERE patient_id = $1::text::uuid";
    let rows = ward.database("patients").await.rows(query, &[&id]).await;
    let text = json!(rows).to_string();
    for value in [&patient.name, &patient.email, &patient.address] {
        assert!(!text.contains(value.as_str()), "{text}");
    }
}

#[tokio::test]
async fn the_service_cannot_rewrite_its_audit_log() {
    let (ward, api) = (Ward::shared(), Ward::shared().user().await);
    create(&api, &Patient::unique()).await;
    let database = ward.database("patients").await;
    for statement in
        ["UPDATE audit_log SET outcome = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
    {
        assert!(database.run(statement, &[]).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_service_cannot_open_the_other_database() {
    let own = Ward::shared().database("patients").await;
    let query = "SELECT has_database_privilege('auth', 'CONNECT') AS may";
    assert_eq!(own.rows(query, &[]).await[0]["may"], false);
}

fn unique(prefix: &str) -> String {
    ward_tests::unique_name(prefix)
}

async fn create(api: &Api, patient: &Patient) -> String {
    api.created(&patient.json()).await["id"].as_str().expect("an id").to_owned()
}

async fn events(database: &Database, id: &str) -> Vec<Value> {
    let query = "SELECT * FROM outbox WHERE aggregate_id = $1::text::uuid ORDER BY seq";
    database.rows(query, &[&id]).await
}

async fn audit(database: &Database, actor: &str) -> Vec<Value> {
    let query = "SELECT * FROM audit_log WHERE actor = $1::text::uuid ORDER BY seq";
    database.rows(query, &[&actor]).await
}

fn kind_and_version(event: &Value) -> (&str, i64) {
    (event["type"].as_str().expect("text"), event["aggregate_version"].as_i64().expect("a number"))
}
