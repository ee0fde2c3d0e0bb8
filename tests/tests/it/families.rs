//! Patients without an e-mail address, families with one, where the application says so; and
//! patients who were deleted and come again.

use serde_json::{Value, json};
use ward_tests::{Api, Options, Patient, Repository, Ward, unique_email};

async fn optional() -> Ward {
    let options = Options {
        arguments: ["patient_email=optional", "patient_filters=url"]
            .map(|variable| ["--variable".to_owned(), variable.to_owned()])
            .concat(),
        ..Options::demo()
    };
    tokio::task::spawn_blocking(|| Ward::start(options)).await.expect("a ward")
}

async fn with_email(api: &Api, email: &Value) -> Value {
    let answer = api.create(&Patient::unique().with("email", email.clone())).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["billing"]["status"], "ACTIVE", "{answer:?}");
    answer.patient()
}

#[tokio::test]
async fn addresses_are_a_familys_or_nobodys_where_the_application_says_so() {
    let ward = optional().await;
    let api = ward.user().await;
    // Whoever has an address alone is named by nobody.
    with_email(&api, &json!(unique_email("alone"))).await;
    let family = unique_email("miller");
    let first = with_email(&api, &json!(family)).await;
    let second = with_email(&api, &json!(family.to_uppercase())).await;
    let found = api.get(&format!("/api/patients?email={family}")).await.json();
    assert_eq!(found.as_array().map(Vec::len), Some(2), "{found}");
    for none in [Value::Null, json!(""), json!(" ")] {
        assert_eq!(with_email(&api, &none).await["email"], Value::Null);
    }
    let absent = api.created(&Patient::unique().without("email")).await;
    let path = |patient: &Value| format!("/api/patients/{}", patient["id"].as_str().expect("id"));
    let read = api.get(&path(&absent)).await.json();
    assert_eq!((read["email"].clone(), read.clone()), (Value::Null, absent));
    // What was read can be written, and an address be taken, given up and shared again.
    for email in [Value::Null, json!(family), Value::Null] {
        let mut changed = api.get(&path(&read)).await.json();
        changed["email"] = email.clone();
        let answer = api.replace(&path(&read), &changed).await;
        assert_eq!((answer.status, answer.json()["email"].clone()), (200, email), "{answer:?}");
    }
    let answer = api.create(&Patient::unique().with("email", "half@")).await;
    assert_eq!(answer.failing_fields(), ["/email"]);
    // The outbox' events have a text there, as their contract says.
    let query =
        "SELECT payload ->> 'email' AS email FROM outbox WHERE aggregate_id = $1::text::uuid";
    let id = second["id"].as_str().expect("an id");
    let rows = ward.database("patients").await.rows(query, &[&id]).await;
    assert_eq!(rows[0]["email"], family.to_uppercase());
    assert_ne!(first["id"], second["id"]);
    filters_in_urls(&api).await;
    found_by_the_operator(&ward, &family, [&first, &second]).await;
    back_to_unique(ward, &family).await;
}

/// This application lets them be there.
async fn filters_in_urls(api: &Api) {
    let email = format!("ada+{}", unique_email("lab"));
    let patient = Patient::unique().with("email", email.clone());
    let created = api.created(&patient).await;
    for query in [
        format!("email={email}"),
        "email=nobody".to_owned(),
        "email=ada%40".to_owned(),
        "email=".to_owned(),
        "name=%20".to_owned(),
        "name=%E2%80%8B".to_owned(),
    ] {
        let problem = api.get(&format!("/api/patients?{query}")).await.problem(400);
        let error = &problem["errors"][0];
        assert_eq!(error["parameter"], query.split('=').next().expect("a name"), "{problem}");
        if query.starts_with("email") {
            assert!(error["detail"].as_str().is_some_and(|text| text.contains("%2B")));
        }
    }
    let escaped = email.replace('+', "%2B").to_uppercase();
    let born = created["dateOfBirth"].as_str().expect("a date");
    let query = format!("email=%20{escaped}%20&dateOfBirthFrom={born}&dateOfBirthTo={born}");
    let answer = api.get(&format!("/api/patients?{query}")).await;
    assert_eq!(answer.json(), json!([created]));
    let first = api.get("/api/patients?limit=1&dateOfBirthFrom=1900-01-01").await;
    let next = first.next_link().expect("a next page");
    assert!(next.contains("dateOfBirthFrom=1900-01-01"), "{next}");
    assert_eq!(api.get(&next).await.json().as_array().map(Vec::len), Some(1));
}

/// README's query names those who cannot have what a change of mind would ask of them.
async fn found_by_the_operator(ward: &Ward, family: &str, members: [&Value; 2]) {
    let readme = std::fs::read_to_string(Repository::here().root().join("README.md"));
    let readme = readme.expect("README.md");
    let query = readme.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next());
    let rows = ward.database("patients").await.rows(query.expect("a query"), &[]).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    let of = |address: Value| rows.iter().find(|row| row["e_mail"] == address).expect("a row");
    let ids = |row: &Value| row["patients"].as_array().cloned().expect("an array");
    let shared = ids(of(json!(family)));
    assert!(shared.len() == 2 && members.iter().all(|own| shared.contains(&own["id"])), "{rows:?}");
    assert_eq!(ids(of(Value::Null)).len(), 4, "{rows:?}");
}

/// The application changes its mind: what is there stays, and what comes has an address of its own.
async fn back_to_unique(mut ward: Ward, family: &str) {
    ward = tokio::task::spawn_blocking(move || {
        assert!(ward.stop().success(), "{}", ward.log());
        ward.start_again_with(Vec::new());
        ward
    })
    .await
    .expect("a ward");
    let api = ward.user().await;
    api.create(&Patient::unique().with("email", family)).await.problem(409);
    let answer = api.create(&Patient::unique().without("email")).await;
    assert_eq!(answer.failing_fields(), ["/email"]);
    let found = api.search(&json!({"email": family})).await.json();
    let id = found[0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/patients/{id}");
    let mut shared = found[0].clone();
    shared["address"] = "Elsewhere".into();
    api.replace(&path, &shared).await.problem(409);
    shared["email"] = unique_email("own").into();
    assert_eq!(api.replace(&path, &shared).await.status, 200);
    tokio::task::spawn_blocking(move || drop(ward)).await.expect("a stop");
}

/// The original's contract is the default.
#[tokio::test]
async fn everybody_has_an_address_of_their_own_otherwise() {
    let api = Ward::shared().user().await;
    let patient = Patient::unique();
    api.created(&patient.json()).await;
    api.create(&Patient::unique().with("email", patient.email)).await.problem(409);
    let answer = api.create(&Patient::unique().without("email")).await;
    assert_eq!(answer.failing_fields(), ["/email"]);
}

#[tokio::test]
async fn the_debt_of_who_was_deleted_and_comes_again_is_found() {
    let api = Ward::shared().user().await;
    let patient = Patient::unique();
    let created = api.create(&patient.json()).await;
    assert!(created.json().get("earlierIds").is_none(), "nobody was there before: {created:?}");
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let account = created.json()["billing"]["accountId"].as_str().expect("an id").to_owned();
    let book = async |what: &str, minor_units: i64| {
        let body = json!({"id": uuid::Uuid::new_v4().to_string(), "description": "x",
            "amount": {"minorUnits": minor_units, "currency": "EUR"}});
        let path = format!("/api/billing/accounts/{account}/{what}");
        api.send_json("POST", &path, &body).await.status
    };
    assert_eq!(book("charges", 10_000).await, 201);
    assert_eq!(api.delete(created.header("location")).await.status, 204);
    let other = Patient { name: "Somebody Else".into(), ..Patient::unique() };
    assert!(api.create(&other.json()).await.json().get("earlierIds").is_none());
    // By the address, and by the name and the date of birth.
    let mut again = vec![patient.with("name", "Married Name")];
    again.push(patient.with("email", unique_email("new")));
    for body in again {
        let answer = api.create(&body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["earlierIds"], json!([id]), "{answer:?}");
    }
    let old = api.get(&format!("/api/billing/patients/{id}/account")).await.json();
    assert_eq!((&old["balance"]["minorUnits"], &old["status"]), (&json!(10_000), &json!("CLOSED")));
    assert_eq!(book("payments", 10_000).await, 201);
}
