//! What a body may hold: everything wrong with it is said at once and by pointer, and nothing of
//! it is repeated.

use serde_json::{Value, json};
use ward_tests::{Answer, Ward};

use super::{ACCOUNTS, booking, open, opening, unique_id, voiding};

/// The largest amount of one entry.
const AMOUNT_MAX: i64 = 100_000_000_000;

/// POSTs a document that is refused for these pointers.
async fn refused(path: &str, body: &Value, pointers: &[&str]) {
    let answer = Ward::shared().user().await.send_json("POST", path, body).await;
    assert_eq!(answer.failing_fields(), pointers, "{path} {body}");
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

#[tokio::test]
async fn every_failing_field_is_named_at_once() {
    refused(ACCOUNTS, &json!({}), &["/email", "/name", "/patientId"]).await;
    let all = json!({"patientId": "1", "name": " ", "email": "x", "iban": "y"});
    refused(ACCOUNTS, &all, &["/email", "/iban", "/name", "/patientId"]).await;
    let account = open(&Ward::shared().user().await).await;
    for what in ["charges", "payments"] {
        let path = format!("{ACCOUNTS}/{account}/{what}");
        refused(&path, &json!({}), &["/amount", "/description", "/id"]).await;
        let body = json!({
            "id": 7, "description": "", "kind": "CHARGE",
            "amount": {"minorUnits": "5", "currency": "euro", "scale": 2},
        });
        let all = [
            "/amount/currency",
            "/amount/minorUnits",
            "/amount/scale",
            "/description",
            "/id",
            "/kind",
        ];
        refused(&path, &body, &all).await;
    }
    let path = format!("{ACCOUNTS}/{account}/voids");
    refused(&path, &json!({}), &["/description", "/id", "/reverses"]).await;
    let body = json!({"id": "x", "reverses": 1, "description": null, "amount": 5});
    refused(&path, &body, &["/amount", "/description", "/id", "/reverses"]).await;
}

#[tokio::test]
async fn amounts_are_whole_and_within_their_limits() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let path = format!("{ACCOUNTS}/{account}/charges");
    for wrong in [
        json!(0),
        json!(-1),
        json!(AMOUNT_MAX + 1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(12.5),
        json!(12.0),
        json!("12"),
        json!([12]),
        Value::Null,
    ] {
        let mut body = booking(1);
        body["amount"]["minorUnits"] = wrong;
        refused(&path, &body, &["/amount/minorUnits"]).await;
    }
    for right in [1, AMOUNT_MAX] {
        let answer = api.send_json("POST", &path, &booking(right)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["amount"]["minorUnits"], right);
    }
}

#[tokio::test]
async fn a_number_that_only_looks_whole_is_refused() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let text = booking(1).to_string();
    for number in ["1e3", "1.0", "0x10", "1_000", "999999999999999999999"] {
        let body = text.replace("\"minorUnits\":1", &format!("\"minorUnits\":{number}"));
        let request = api.request("POST", &format!("{ACCOUNTS}/{account}/charges"));
        let request = request.header("content-type", "application/json").body(body);
        Answer::of(request).await.problem(400);
    }
}

#[tokio::test]
async fn texts_are_measured_in_characters() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let path = format!("{ACCOUNTS}/{account}/charges");
    let longest = "é".repeat(200);
    let body = with(booking(1), "description", json!(longest));
    assert_eq!(api.send_json("POST", &path, &body).await.json()["description"], longest);
    let trimmed = with(booking(1), "description", json!(" \t x y\n"));
    assert_eq!(api.send_json("POST", &path, &trimmed).await.json()["description"], "x y");
    for wrong in ["é".repeat(201), " ".to_owned(), "a\u{0}b".to_owned(), "a\nb".to_owned()] {
        refused(&path, &with(booking(1), "description", json!(wrong)), &["/description"]).await;
    }
    let (patient, _) = super::patient(&api).await;
    for (length, status) in [(100, 200), (101, 400)] {
        let body = with(opening(&patient), "name", json!("é".repeat(length)));
        assert_eq!(api.send_json("POST", ACCOUNTS, &body).await.status, status, "{length}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let entry = json!({"id": unique_id()});
    let paths = [
        (ACCOUNTS.to_owned(), opening(&unique_id())),
        (format!("{ACCOUNTS}/{account}/charges"), booking(1)),
        (format!("{ACCOUNTS}/{account}/payments"), booking(1)),
        (format!("{ACCOUNTS}/{account}/voids"), voiding(&entry)),
    ];
    for (path, body) in paths {
        let send = |media: &str, body: String| {
            Answer::of(api.request("POST", &path).header("content-type", media).body(body))
        };
        for broken in ["", "{", "[]", "null", "{}{}", "\u{feff}{}"] {
            send("application/json", broken.to_owned()).await.problem(400);
        }
        let twice = body.to_string().replacen('{', "{\"id\":\"x\",\"id\":\"x\",", 1);
        send("application/json", twice).await.problem(400);
        send("text/plain", body.to_string()).await.problem(415);
        Answer::of(api.request("POST", &path).body(body.to_string())).await.problem(415);
        let large = format!("{{\"id\":\"{}\"}}", "x".repeat(1 << 20));
        send("application/json", large).await.problem(413);
    }
}

#[tokio::test]
async fn what_was_sent_is_not_repeated() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let mut body = with(booking(1), "description", json!("s3cret\u{0}"));
    body["amount"]["currency"] = json!("s3cret");
    body["id"] = json!("s3cret");
    let answer = super::post(&api, &account, "charges", &body).await;
    answer.problem(400);
    assert!(!answer.body.contains("s3cret"), "{answer:?}");
}
