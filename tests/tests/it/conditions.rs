//! Conditional requests, media types, and reading, changing and writing back: what HTTP's own tools
//! are used for.

use serde_json::{Value, json};
use ward_tests::{Answer, Api, Patient, Ward};

async fn created(api: &Api) -> (String, Value) {
    let created = api.create(&Patient::unique().json()).await;
    let path = created.header("location").to_owned();
    let patient = api.get(&path).await.json();
    (path, patient)
}

async fn send(api: &Api, method: &str, path: &str, (name, value): (&str, &str)) -> Answer {
    let mut request = api.request(method, path).header(name, value);
    if name != "if-match" {
        request = request.header("if-match", "*");
    }
    Answer::of(request.json(&Patient::unique().json())).await
}

#[tokio::test]
async fn a_change_says_which_version_it_is_of() {
    let api = Ward::shared().user().await;
    let (path, before) = created(&api).await;
    let nobody = format!("/api/patients/{}", uuid::Uuid::new_v4());
    for method in ["PUT", "DELETE"] {
        let bare = |path: &str| api.request(method, path).json(&Patient::unique().json());
        for path in [&path, &nobody] {
            let problem = Answer::of(bare(path)).await.problem(428);
            assert_eq!(problem["type"], "urn:ward:problem:precondition-required");
            assert!(problem["detail"].as_str().is_some_and(|text| text.contains("If-Match")));
            // Which version it is not says nothing of the one that it is.
            Answer::of(bare(path).header("if-none-match", "\"7\"")).await.problem(428);
        }
        Answer::of(bare(&path).header("if-none-match", "*")).await.problem(412);
        Answer::of(bare(&nobody).header("if-none-match", "*")).await.problem(404);
    }
    assert_eq!(api.get(&path).await.json(), before);
    assert_eq!(send(&api, "PUT", &path, ("if-match", "\"1\"")).await.status, 200);
    assert_eq!(send(&api, "DELETE", &path, ("if-match", "*")).await.status, 204);
}

#[tokio::test]
async fn what_must_not_be_there_is_not_overwritten() {
    let api = Ward::shared().user().await;
    let (path, before) = created(&api).await;
    for method in ["PUT", "DELETE"] {
        for tag in ["*", "\"1\"", "W/\"1\"", "\"x\", \"1\""] {
            let answer = send(&api, method, &path, ("if-none-match", tag)).await;
            let detail = answer.problem(412)["detail"].as_str().expect("a detail").to_owned();
            assert!(detail.contains("If-None-Match"), "{detail}");
        }
        send(&api, method, &path, ("if-none-match", "1")).await.problem(400);
    }
    assert_eq!(api.get(&path).await.json(), before);
    let other = send(&api, "PUT", &path, ("if-none-match", "\"7\"")).await;
    assert_eq!(other.status, 200, "{other:?}");
    assert_eq!(send(&api, "DELETE", &path, ("if-none-match", "\"1\"")).await.status, 204);
    send(&api, "PUT", &path, ("if-none-match", "*")).await.problem(404);
}

#[tokio::test]
async fn nor_is_anything_booked() {
    let api = Ward::shared().user().await;
    let created = api.create(&Patient::unique().json()).await.json();
    let account = created["billing"]["accountId"].as_str().expect("an id");
    let account = format!("/api/billing/accounts/{account}");
    let book = async |(name, value): (&str, &str)| {
        let body = json!({"id": uuid::Uuid::new_v4().to_string(), "description": "x",
            "amount": {"minorUnits": 100, "currency": "EUR"}});
        let request = api.request("POST", &format!("{account}/charges")).header(name, value);
        Answer::of(request.json(&body)).await
    };
    for tag in ["*", "\"1\""] {
        book(("if-none-match", tag)).await.problem(412);
    }
    book(("if-none-match", "1")).await.problem(400);
    let weak = book(("if-match", "W/\"1\"")).await.problem(412);
    assert!(weak["detail"].as_str().is_some_and(|text| text.contains("Weak")), "{weak}");
    assert_eq!(api.get(&account).await.json()["version"], 1);
    assert_eq!(book(("if-none-match", "\"2\"")).await.status, 201);
}

#[tokio::test]
async fn a_tag_that_is_none_of_ours_is_not_called_a_change() {
    let api = Ward::shared().user().await;
    let (path, _) = created(&api).await;
    for tag in ["W/\"1\"", "\"1-gzip\"", "\"\"", "\"*\""] {
        for method in ["PUT", "DELETE"] {
            let problem = send(&api, method, &path, ("if-match", tag)).await.problem(412);
            let detail = problem["detail"].as_str().expect("a detail");
            assert!(detail.contains("given out here") && !detail.contains("changed"), "{detail}");
        }
    }
    let problem = send(&api, "PUT", &path, ("if-match", "\"7\"")).await.problem(412);
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("has changed")));
}

#[tokio::test]
async fn what_was_read_can_be_written_back() {
    let api = Ward::shared().user().await;
    let (path, mut patient) = created(&api).await;
    patient["address"] = "Elsewhere".into();
    let answer = api.replace(&path, &patient).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["address"], "Elsewhere");
    assert_eq!(answer.json()["version"], 2);
    // A copy from before is not taken, whatever the headers say.
    let stale = async |document: &Value| {
        let answer = api.replace(&path, document).await;
        let detail = answer.problem(412)["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains("has changed since what was sent was read"), "{detail}");
    };
    stale(&patient).await;
    for (field, other) in [("version", json!(7)), ("updatedAt", json!("2024-01-01T00:00:00Z"))] {
        let mut changed = api.get(&path).await.json();
        changed[field] = other;
        stale(&changed).await;
    }
    for (field, other) in [
        ("id", json!("00000000-0000-0000-0000-000000000001")),
        ("createdAt", json!("2024-01-01T00:00:00Z")),
    ] {
        let mut changed = api.get(&path).await.json();
        changed[field] = other;
        let answer = api.replace(&path, &changed).await;
        assert_eq!(answer.failing_fields(), [format!("/{field}")]);
    }
    assert_eq!(api.get(&path).await.json()["version"], 2);
}

#[tokio::test]
async fn what_a_registration_answered_can_be_written_back() {
    let api = Ward::shared().user().await;
    let created = api.create(&Patient::unique().json()).await;
    let (mut document, path) = (created.json(), created.header("location").to_owned());
    assert!(document.get("billing").is_some());
    document["earlierIds"] = json!([]);
    let answer = api.replace(&path, &document).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn json_is_json_by_any_of_its_names() {
    let api = Ward::shared().user().await;
    let create = async |media: &str| {
        let request = api.request("POST", "/api/patients").header("content-type", media);
        Answer::of(request.body(Patient::unique().json().to_string())).await
    };
    for media in [
        "application/json; charset=utf8",
        "application/json;charset=UTF8",
        "application/json; charset=us-ascii",
        "text/json",
    ] {
        assert_eq!(create(media).await.status, 201, "{media}");
    }
    for (media, part) in [
        ("application/problem+json", "Content-Type"),
        ("application/merge-patch+json", "Content-Type"),
        ("application/json; charset=latin1", "UTF-8"),
    ] {
        let problem = create(media).await.problem(415);
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(part)), "{problem}");
    }
}

#[tokio::test]
async fn a_moment_with_a_plus_says_how_it_is_written() {
    let api = Ward::shared().user().await;
    let moment = "bucket=day&from=2026-11-30T00:00:00+01:00";
    let problem = api.get(&format!("/api/analytics/timeline?{moment}")).await.problem(400);
    let detail = problem["errors"][0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("%2B"), "{detail}");
}
