//! `POST /api/patients`: what is accepted, at the limits and one past them, and that everything
//! wrong with a body is said at once.

use serde_json::{Value, json};
use ward_tests::{Answer, Patient, Ward, unique_email};

#[tokio::test]
async fn a_patient_is_created() {
    let api = Ward::shared().user().await;
    let patient = Patient::unique();
    let answer = api.create(&patient.json()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let body = answer.json();
    for (member, value) in patient.json().as_object().expect("an object") {
        assert_eq!(&body[member], value, "{member}");
    }
    let id = body["id"].as_str().expect("an id");
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(answer.header("location"), format!("/api/patients/{id}"));
    assert!(is_strong_etag(answer.header("etag")), "{answer:?}");
    assert_eq!(body["version"], 1);
    let mut members: Vec<&str> =
        body.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    expect_test::expect![[r#"
        [
            "address",
            "billing",
            "createdAt",
            "dateOfBirth",
            "email",
            "id",
            "name",
            "registeredDate",
            "updatedAt",
            "version",
        ]
    "#]]
    .assert_debug_eq(&members);
}

fn is_strong_etag(etag: &str) -> bool {
    etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')
}

#[tokio::test]
async fn what_was_created_is_what_is_read_at_its_location() {
    let api = Ward::shared().user().await;
    let created = api.create(&Patient::unique().json()).await;
    let read = api.get(created.header("location")).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json(), created.patient());
    assert_eq!(read.header("etag"), created.header("etag"));
    assert_eq!(read.header("cache-control"), "no-store");
}

#[tokio::test]
async fn timestamps_are_rfc_3339_in_utc() {
    let api = Ward::shared().user().await;
    let body = api.created(&Patient::unique().json()).await;
    for member in ["createdAt", "updatedAt"] {
        let time = body[member].as_str().expect("a time");
        assert!(time.contains('T') && time.ends_with('Z'), "{member}: {time}");
    }
}

#[tokio::test]
async fn who_gives_no_registered_date_is_registered_today() {
    let api = Ward::shared().user().await;
    for body in [
        Patient::unique().without("registeredDate"),
        Patient::unique().with("registeredDate", Value::Null),
    ] {
        let created = api.created(&body).await;
        let instant = created["createdAt"].as_str().expect("a time");
        assert_eq!(created["registeredDate"], instant[..10], "{created}");
    }
}

#[tokio::test]
async fn white_space_around_texts_is_dropped() {
    let api = Ward::shared().user().await;
    let patient = Patient::unique();
    let body = patient.with("name", format!(" \t{}\n", patient.name));
    assert_eq!(api.created(&body).await["name"], patient.name);
}

#[tokio::test]
async fn every_failing_field_is_named_at_once() {
    let api = Ward::shared().user().await;
    let body = json!({
        "name": "",
        "email": "not an address",
        "address": "",
        "dateOfBirth": "1985-02-30",
        "registeredDate": "yesterday",
        "surprise": true,
    });
    let answer = api.create(&body).await;
    let expected = ["/address", "/dateOfBirth", "/email", "/name", "/registeredDate", "/surprise"];
    assert_eq!(answer.failing_fields(), expected);
}

#[tokio::test]
async fn every_missing_field_is_named_at_once() {
    let api = Ward::shared().user().await;
    let fields = api.create(&json!({})).await.failing_fields();
    for required in ["/address", "/dateOfBirth", "/email", "/name"] {
        assert!(fields.iter().any(|field| field == required), "{required} in {fields:?}");
    }
}

#[tokio::test]
async fn each_error_says_what_is_wrong_without_repeating_the_value() {
    let api = Ward::shared().user().await;
    let answer = api.create(&Patient::unique().with("email", "secret value")).await;
    let problem = answer.problem(400);
    assert!(problem["errors"][0]["detail"].as_str().is_some_and(|text| !text.is_empty()));
    assert!(!answer.body.contains("secret value"), "{answer:?}");
}

#[tokio::test]
async fn lengths_at_the_limit_pass_and_one_more_fails() {
    let multibyte = |count: usize| "é".repeat(count);
    accepted("name", "x").await;
    accepted("name", &"x".repeat(100)).await;
    accepted("name", &multibyte(100)).await;
    refused("name", "").await;
    refused("name", &"x".repeat(101)).await;
    refused("name", &multibyte(101)).await;
    accepted("address", "x").await;
    accepted("address", &"x".repeat(255)).await;
    accepted("address", &multibyte(255)).await;
    refused("address", "").await;
    refused("address", &"x".repeat(256)).await;
    refused("address", &multibyte(256)).await;
}

#[tokio::test]
async fn blank_text_is_no_text() {
    refused("name", "   ").await;
    refused("address", " \t ").await;
    refused("email", " ").await;
}

#[tokio::test]
async fn control_characters_are_refused() {
    // PostgreSQL cannot store NUL at all: it must be refused here, not fail there with a 500.
    refused("name", "a\u{0}b").await;
    refused("address", "a\u{0}b").await;
    refused("email", "a\u{0}b@example.test").await;
}

#[tokio::test]
async fn text_of_all_languages_comes_back_unchanged() {
    let api = Ward::shared().user().await;
    for name in ["Zoë Ångström", "李小龍", "אברהם", "O'Brien; DROP TABLE patient; --", "👩🏽‍⚕️"]
    {
        let created = api.created(&Patient::unique().with("name", name)).await;
        assert_eq!(created["name"], name);
    }
}

#[tokio::test]
async fn email_addresses_are_checked() {
    for good in ["a@b.co", "first.last+tag@sub.example.org", "x_y-z@example-host.test"] {
        let address = good.replacen('@', &format!("{}@", unique_suffix()), 1);
        accepted("email", &address).await;
    }
    for bad in [
        "plain",
        "@example.test",
        "a@",
        "a@@example.test",
        "a b@example.test",
        "a@exa mple.test",
        "a@example..test",
        "a@.test",
        "a\r\nBcc: b@example.test",
    ] {
        refused("email", bad).await;
    }
    let too_long = format!("{}@example.test", "x".repeat(300));
    refused("email", &too_long).await;
}

fn unique_suffix() -> String {
    unique_email("").split('@').next().expect("a local part").replace('-', "")
}

#[tokio::test]
async fn dates_are_checked() {
    for bad in [
        "",
        "1985-13-01",
        "1985-02-29",
        "15.06.1985",
        "1985-6-1",
        "19850615",
        "1985-06-15T00:00:00Z",
    ] {
        refused("dateOfBirth", bad).await;
        refused("registeredDate", bad).await;
    }
    accepted("dateOfBirth", "1984-02-29").await;
    accepted("dateOfBirth", "1900-01-01").await;
}

#[tokio::test]
async fn nobody_is_born_tomorrow() {
    let database = Ward::shared().database("patients").await;
    let query = "SELECT (now() AT TIME ZONE 'UTC')::date AS today, \
                 (now() AT TIME ZONE 'UTC')::date + 2 AS later";
    let days = database.rows(query, &[]).await;
    let mut born_today = Patient::unique().without("registeredDate");
    born_today["dateOfBirth"] = days[0]["today"].clone();
    Ward::shared().user().await.created(&born_today).await;
    // Two days, so that no time zone's tomorrow is meant.
    refused("dateOfBirth", days[0]["later"].as_str().expect("a date")).await;
    refused("dateOfBirth", "9999-12-31").await;
}

#[tokio::test]
async fn values_of_the_wrong_type_are_refused_field_by_field() {
    for field in ["name", "email", "address", "dateOfBirth", "registeredDate"] {
        for value in [json!(1), json!(true), json!({}), json!(["x"]), Value::Null] {
            if field == "registeredDate" && value.is_null() {
                continue;
            }
            let body = Patient::unique().with(field, value.clone());
            let answer = Ward::shared().user().await.create(&body).await;
            assert_eq!(answer.failing_fields(), [format!("/{field}")], "{field}: {value}");
        }
    }
}

#[tokio::test]
async fn members_only_the_server_writes_are_refused() {
    for member in ["id", "version", "createdAt", "updatedAt", "deletedAt"] {
        let body = Patient::unique().with(member, "1");
        let answer = Ward::shared().user().await.create(&body).await;
        assert_eq!(answer.failing_fields(), [format!("/{member}")]);
    }
}

#[tokio::test]
async fn pointers_escape_as_rfc_6901_says() {
    let body = Patient::unique().with("a/b~c", 1);
    let answer = Ward::shared().user().await.create(&body).await;
    assert_eq!(answer.failing_fields(), ["/a~1b~0c"]);
}

#[tokio::test]
async fn an_email_is_taken_whatever_its_case() {
    let api = Ward::shared().user().await;
    let first = Patient::unique();
    api.created(&first.json()).await;
    for email in [first.email.clone(), first.email.to_uppercase()] {
        let answer = api.create(&Patient::unique().with("email", email)).await;
        answer.problem(409);
        assert!(!answer.body.to_lowercase().contains(&first.email), "{answer:?}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    let api = Ward::shared().user().await;
    for body in ["", "{", "[]", "null", "1", "\"x\"", "{}{}", "{\"name\": NaN}", "\u{feff}{}"] {
        let request = api.request("POST", "/api/patients");
        let request = request.header("content-type", "application/json").body(body);
        Answer::of(request).await.problem(400);
    }
}

#[tokio::test]
async fn a_member_given_twice_is_refused() {
    let api = Ward::shared().user().await;
    let body = Patient::unique().json().to_string();
    let twice = body.replacen('{', "{\"name\":\"Another\",", 1);
    let request = api.request("POST", "/api/patients").header("content-type", "application/json");
    Answer::of(request.body(twice)).await.problem(400);
}

#[tokio::test]
async fn deeply_nested_json_is_only_refused() {
    let api = Ward::shared().user().await;
    let body = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let request = api.request("POST", "/api/patients").header("content-type", "application/json");
    Answer::of(request.body(body)).await.problem(400);
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let api = Ward::shared().user().await;
    let body = Patient::unique().json().to_string();
    for media_type in ["text/plain", "application/xml", "multipart/form-data", "application/jsonp"]
    {
        let request = api.request("POST", "/api/patients").header("content-type", media_type);
        Answer::of(request.body(body.clone())).await.problem(415);
    }
    Answer::of(api.request("POST", "/api/patients").body(body)).await.problem(415);
}

#[tokio::test]
async fn other_methods_are_refused_with_those_allowed() {
    let api = Ward::shared().user().await;
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = api.send(method, "/api/patients").await;
        answer.problem(405);
        let allow = answer.header("allow");
        assert!(allow.contains("GET") && allow.contains("POST"), "{method}: {allow}");
    }
}

async fn accepted(field: &str, value: &str) {
    let answer = Ward::shared().user().await.create(&Patient::unique().with(field, value)).await;
    assert_eq!(answer.status, 201, "{field} = {value:?}: {answer:?}");
    assert_eq!(answer.json()[field], value);
}

async fn refused(field: &str, value: &str) {
    let answer = Ward::shared().user().await.create(&Patient::unique().with(field, value)).await;
    assert_eq!(answer.failing_fields(), [format!("/{field}")], "{field} = {value:?}");
}
