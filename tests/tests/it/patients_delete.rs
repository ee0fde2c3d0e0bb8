//! `DELETE /api/patients/{id}`: gone for every reader, kept for the record.

use ward_tests::{Answer, Patient, Ward};

#[tokio::test]
async fn a_deleted_patient_is_gone() {
    let api = Ward::shared().user().await;
    let patient = Patient::unique();
    let location = api.create(&patient.json()).await.header("location").to_owned();
    let answer = api.delete(&location).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{answer:?}");
    api.get(&location).await.problem(404);
    api.delete(&location).await.problem(404);
    let list = api.search(&serde_json::json!({"email": patient.email})).await;
    assert_eq!(list.json(), serde_json::json!([]));
}

#[tokio::test]
async fn an_unknown_patient_is_404() {
    let api = Ward::shared().user().await;
    let path = "/api/patients/00000000-0000-0000-0000-00000000dead";
    api.delete(path).await.problem(404);
}

#[tokio::test]
async fn the_row_stays_in_the_database() {
    let api = Ward::shared().user().await;
    let created = api.created(&Patient::unique().json()).await;
    let id = created["id"].as_str().expect("an id");
    assert_eq!(api.delete(&format!("/api/patients/{id}")).await.status, 204);
    let database = Ward::shared().database("patients").await;
    let query = "SELECT deleted_at FROM patients WHERE id = $1::text::uuid";
    let rows = database.rows(query, &[&id]).await;
    assert!(rows[0]["deleted_at"].is_string(), "{rows:?}");
}

#[tokio::test]
async fn the_email_of_a_deleted_patient_is_free_again() {
    let api = Ward::shared().user().await;
    let patient = Patient::unique();
    let location = api.create(&patient.json()).await.header("location").to_owned();
    assert_eq!(api.delete(&location).await.status, 204);
    assert_eq!(api.create(&patient.json()).await.status, 201);
}

#[tokio::test]
async fn a_stale_if_match_is_412() {
    let api = Ward::shared().user().await;
    let location = api.create(&Patient::unique().json()).await.header("location").to_owned();
    let stale = api.get(&location).await.header("etag").to_owned();
    api.replace(&location, &Patient::unique().json()).await;
    let request = api.request("DELETE", &location).header("if-match", stale);
    Answer::of(request).await.problem(412);
    let current = api.get(&location).await.header("etag").to_owned();
    let request = api.request("DELETE", &location).header("if-match", current);
    assert_eq!(Answer::of(request).await.status, 204);
}
