//! `PUT /api/patients/{id}`: the whole patient is replaced, and a stale writer is told.

use serde_json::Value;
use ward_tests::{Answer, Api, Patient, Ward};

#[tokio::test]
async fn a_patient_is_replaced_whole() {
    let (api, location, before) = created().await;
    let new = Patient::unique();
    let answer = api.replace(&location, &new.json()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    for (member, value) in new.json().as_object().expect("an object") {
        assert_eq!(&body[member], value, "{member}");
    }
    assert_eq!(body["id"], before["id"]);
    assert_eq!(body["createdAt"], before["createdAt"]);
    assert_eq!(body["version"], 2);
    let read = api.get(&location).await;
    assert_eq!(read.json(), body);
    assert_eq!(read.header("etag"), answer.header("etag"));
}

#[tokio::test]
async fn the_current_version_may_be_replaced() {
    let (api, location, _) = created().await;
    let etag = api.get(&location).await.header("etag").to_owned();
    let answer = replace_if(&api, &location, &etag).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(answer.header("etag"), etag);
    let any = replace_if(&api, &location, "*").await;
    assert_eq!(any.status, 200, "{any:?}");
    let list = format!("\"other\", {}", any.header("etag"));
    assert_eq!(replace_if(&api, &location, &list).await.status, 200);
}

#[tokio::test]
async fn a_stale_version_is_412_and_changes_nothing() {
    let (api, location, _) = created().await;
    let stale = api.get(&location).await.header("etag").to_owned();
    replace_if(&api, &location, &stale).await;
    let current = api.get(&location).await;
    for etag in [stale.as_str(), "\"other\"", "\"\"", "\"-1\"", "\"99999999999999999999\""] {
        replace_if(&api, &location, etag).await.problem(412);
    }
    // If-Match compares strongly (RFC 9110, 13.1.1): a weak tag never matches.
    let weak = format!("W/{}", current.header("etag"));
    replace_if(&api, &location, &weak).await.problem(412);
    assert_eq!(api.get(&location).await.body, current.body);
}

#[tokio::test]
async fn an_unreadable_if_match_is_refused() {
    let (api, location, _) = created().await;
    for value in ["1", "\"unclosed", "abc"] {
        let answer = replace_if(&api, &location, value).await;
        assert!(matches!(answer.status, 400 | 412), "{value}: {answer:?}");
    }
}

#[tokio::test]
async fn the_same_rules_hold_as_for_create() {
    let (api, location, before) = created().await;
    let body = serde_json::json!({
        "name": "x".repeat(101),
        "email": "none",
        "address": "",
        "dateOfBirth": "9999-01-01",
        "registeredDate": "none",
        "extra": 1,
    });
    let answer = api.replace(&location, &body).await;
    let expected = ["/address", "/dateOfBirth", "/email", "/extra", "/name", "/registeredDate"];
    assert_eq!(answer.failing_fields(), expected);
    assert_eq!(api.get(&location).await.json(), before);
}

#[tokio::test]
async fn an_unknown_patient_is_404_and_not_created() {
    let api = Ward::shared().user().await;
    let path = "/api/patients/00000000-0000-0000-0000-00000000abcd";
    api.replace(path, &Patient::unique().json()).await.problem(404);
    let request = api.request("PUT", path).header("if-match", "\"1\"");
    let answer = Answer::of(request.json(&Patient::unique().json())).await;
    assert!(matches!(answer.status, 404 | 412), "{answer:?}");
    api.get(path).await.problem(404);
}

#[tokio::test]
async fn a_deleted_patient_is_404() {
    let (api, location, _) = created().await;
    assert_eq!(api.delete(&location).await.status, 204);
    api.replace(&location, &Patient::unique().json()).await.problem(404);
}

#[tokio::test]
async fn anothers_email_is_409_and_ones_own_is_fine() {
    let (api, location, before) = created().await;
    let other = Patient::unique();
    api.created(&other.json()).await;
    let taken = Patient::unique().with("email", other.email.to_uppercase());
    let answer = api.replace(&location, &taken).await;
    answer.problem(409);
    assert!(!answer.body.to_lowercase().contains(&other.email), "{answer:?}");
    assert_eq!(api.get(&location).await.json(), before);
    let own = before["email"].as_str().expect("an e-mail").to_uppercase();
    let answer = api.replace(&location, &Patient::unique().with("email", own)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn the_registered_date_is_kept() {
    let (api, location, before) = created().await;
    let changed = Patient::unique().with("registeredDate", "2020-01-01");
    let answer = api.replace(&location, &changed).await;
    assert_eq!(answer.failing_fields(), ["/registeredDate"]);
    let left_out = Patient::unique().without("registeredDate");
    let answer = api.replace(&location, &left_out).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["registeredDate"], before["registeredDate"]);
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let (api, location, _) = created().await;
    let request = api.request("PUT", &location).header("content-type", "text/plain");
    let request = request.header("if-match", "*");
    Answer::of(request.body(Patient::unique().json().to_string())).await.problem(415);
}

async fn replace_if(api: &Api, location: &str, etag: &str) -> Answer {
    let request = api.request("PUT", location).header("if-match", etag);
    Answer::of(request.json(&Patient::unique().json())).await
}

async fn created() -> (Api, String, Value) {
    let api = Ward::shared().user().await;
    let answer = api.create(&Patient::unique().json()).await;
    (api, answer.header("location").to_owned(), answer.patient())
}
