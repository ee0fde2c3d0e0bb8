//! `GET /api/patients/{id}`: the patient, the entity tag, and what is not there.

use ward_tests::{Answer, Patient, Ward};

/// The first demo patient.
const JOHN: &str = "/api/patients/123e4567-e89b-12d3-a456-426614174000";

#[tokio::test]
async fn the_first_demo_patient_is_john_doe() {
    let answer = Ward::shared().user().await.get(JOHN).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["id"], "123e4567-e89b-12d3-a456-426614174000");
    assert_eq!(body["name"], "John Doe");
    assert_eq!(body["email"], "john.doe@example.com");
}

#[tokio::test]
async fn an_unchanged_patient_is_304() {
    let api = Ward::shared().user().await;
    let location = created(&api).await;
    let first = api.get(&location).await;
    let etag = first.header("etag");
    let lists = [etag.to_owned(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".into()];
    for value in lists {
        let request = api.request("GET", &location).header("if-none-match", &value);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 304, "{value}: {answer:?}");
        assert_eq!(answer.body, "");
        assert_eq!(answer.header("etag"), etag);
    }
}

#[tokio::test]
async fn a_changed_patient_is_read_again() {
    let api = Ward::shared().user().await;
    let location = created(&api).await;
    let first = api.get(&location).await;
    let changed = api.replace(&location, &Patient::unique().json()).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let request = api.request("GET", &location).header("if-none-match", first.header("etag"));
    let second = Answer::of(request).await;
    assert_eq!(second.status, 200);
    assert_ne!(second.header("etag"), first.header("etag"));
    let request = api.request("GET", &location).header("if-none-match", "\"other\"");
    assert_eq!(Answer::of(request).await.status, 200);
}

#[tokio::test]
async fn an_unknown_id_is_404() {
    let api = Ward::shared().user().await;
    for id in ["00000000-0000-0000-0000-000000000000", "123e4567-e89b-12d3-a456-42661417ffff"] {
        let answer = api.get(&format!("/api/patients/{id}")).await;
        answer.problem(404);
    }
}

#[tokio::test]
async fn a_malformed_id_is_400() {
    let api = Ward::shared().user().await;
    for id in [
        "1",
        "not-an-id",
        "123e4567-e89b-12d3-a456-42661417400",
        "123e4567-e89b-12d3-a456-4266141740000",
        "g23e4567-e89b-12d3-a456-426614174000",
        "%27%20OR%201=1",
        "%00",
    ] {
        api.get(&format!("/api/patients/{id}")).await.problem(400);
        api.delete(&format!("/api/patients/{id}")).await.problem(400);
        let body = Patient::unique().json();
        api.replace(&format!("/api/patients/{id}"), &body).await.problem(400);
    }
}

#[tokio::test]
async fn an_id_is_read_without_case() {
    let upper = JOHN.replace("123e4567-e89b-12d3-a456", "123E4567-E89B-12D3-A456");
    assert_eq!(Ward::shared().user().await.get(&upper).await.status, 200);
}

#[tokio::test]
async fn paths_below_a_patient_do_not_exist() {
    let api = Ward::shared().user().await;
    api.get(&format!("{JOHN}/records")).await.problem(404);
}

#[tokio::test]
async fn other_methods_are_refused_with_those_allowed() {
    let api = Ward::shared().user().await;
    for method in ["POST", "PATCH"] {
        let answer = api.send(method, JOHN).await;
        answer.problem(405);
        let allow = answer.header("allow");
        for allowed in ["GET", "PUT", "DELETE"] {
            assert!(allow.contains(allowed), "{method}: {allow}");
        }
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body_or_is_not_allowed() {
    let answer = Ward::shared().user().await.send("HEAD", JOHN).await;
    assert!(matches!(answer.status, 200 | 405), "{answer:?}");
    assert_eq!(answer.body, "");
}

async fn created(api: &ward_tests::Api) -> String {
    api.create(&Patient::unique().json()).await.header("location").to_owned()
}
