//! `Idempotency-Key`: a request that was sent again is answered again, and done once.

use serde_json::{Value, json};
use uuid::Uuid;
use ward_tests::{Answer, Api, Database, Options, Patient, Ward, claims};

async fn create(api: &Api, key: &str, body: &Value) -> Answer {
    let request = api.request("POST", "/api/patients").header("idempotency-key", key);
    Answer::of(request.json(body)).await
}

fn key() -> String {
    Uuid::new_v4().to_string()
}

/// Another user than all others.
fn somebody(ward: &Ward) -> (Api, String) {
    let mut claims = claims();
    let user = Uuid::new_v4().to_string();
    claims["sub"] = user.clone().into();
    (ward.api().with_token(&ward.forge().sign(&claims)), user)
}

/// What of an answer has to be the same.
fn essence(answer: &Answer) -> (u16, Value, String, String) {
    let header = |name: &str| answer.header(name).to_owned();
    (answer.status, answer.json(), header("etag"), header("location"))
}

/// How many patients have this name.
async fn count(database: &Database, name: &str) -> usize {
    let query = "SELECT id FROM patients WHERE name = $1";
    database.rows(query, &[&name]).await.len()
}

#[tokio::test]
async fn the_same_again_is_answered_the_same_and_done_once() {
    let ward = Ward::shared();
    let (api, user) = somebody(ward);
    let (key, patient) = (key(), Patient::unique());
    let mut body = patient.json();
    body.as_object_mut().expect("an object").remove("registeredDate");
    let first = create(&api, &key, &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(essence(&create(&api, &key, &body).await), essence(&first));
    // Also once the patient is another.
    let mut changed = body.clone();
    changed["name"] = "Somebody Else".into();
    assert_eq!(api.replace(first.header("location"), &changed).await.status, 200);
    assert_eq!(essence(&create(&api, &key, &body).await), essence(&first));
    let database = ward.database("patients").await;
    let query = "SELECT outcome, patient_id FROM audit_log \
        WHERE actor = $1::text::uuid AND action = 'CREATE' ORDER BY seq";
    let id = &first.json()["id"];
    let rows = ["SUCCESS", "REPEATED", "REPEATED"]
        .map(|outcome| json!({"outcome": outcome, "patient_id": id}));
    assert_eq!(database.rows(query, &[&user]).await, rows);
    let events = "SELECT type FROM outbox WHERE aggregate_id = $1::text::uuid ORDER BY seq";
    let told = database.rows(events, &[&id.as_str()]).await;
    let expected = ["PATIENT_CREATED", "PATIENT_UPDATED"].map(|kind| json!({"type": kind}));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn nor_does_a_late_one_bring_back_who_was_erased() {
    let api = Ward::shared().user().await;
    let (key, body) = (key(), Patient::unique().json());
    let first = create(&api, &key, &body).await;
    let path = format!("{}/erasure", first.header("location"));
    let erase = api.request("POST", &path).header("if-match", "*");
    assert_eq!(Answer::of(erase.json(&json!({"reason": "OBJECTION"}))).await.status, 204);
    let again = create(&api, &key, &body).await;
    assert_eq!((again.status, &again.json()["id"]), (201, &first.json()["id"]), "{again:?}");
    api.get(first.header("location")).await.problem(404);
    assert_eq!(api.search(&json!({"email": body["email"]})).await.json(), json!([]));
}

/// Whoever registers patients need not see those who are restricted, or know who was deleted.
#[tokio::test]
async fn nor_does_it_tell_what_became_of_the_patient() {
    let ward = Ward::shared();
    let (nurse, admin) = (ward.with_role("NURSE").0, ward.user().await);
    let (key, mut body) = (key(), Patient::unique().json());
    body.as_object_mut().expect("an object").remove("registeredDate");
    let first = create(&nurse, &key, &body).await;
    assert_eq!(first.json()["billing"]["status"], "ACTIVE", "{first:?}");
    let path = first.header("location");
    let erase = admin.request("POST", &format!("{path}/erasure")).header("if-match", "*");
    let erase = Answer::of(erase.json(&json!({"reason": "OBJECTION"})));
    assert_eq!(admin.send("PUT", &format!("{path}/restriction")).await.status, 204);
    assert_eq!(essence(&create(&nurse, &key, &body).await), essence(&first));
    assert_eq!(admin.delete(path).await.status, 204);
    assert_eq!(essence(&create(&nurse, &key, &body).await), essence(&first));
    assert_eq!(erase.await.status, 204);
    assert_eq!(essence(&create(&nurse, &key, &body).await), essence(&first));
}

#[tokio::test]
async fn another_document_with_the_key_is_refused() {
    let ward = Ward::shared();
    let (api, user) = somebody(ward);
    let (key, patient) = (key(), Patient::unique());
    assert_eq!(create(&api, &key, &patient.json()).await.status, 201);
    let refused = create(&api, &key, &Patient::unique().json()).await;
    assert_eq!(refused.problem(422)["type"], "urn:ward:problem:idempotency-key-reused");
    assert!(!refused.body.contains(&key) && !refused.body.contains(&patient.name), "{refused:?}");
    let query = "SELECT outcome FROM audit_log WHERE actor = $1::text::uuid ORDER BY seq";
    let rows = ward.database("patients").await.rows(query, &[&user]).await;
    assert_eq!(rows, ["SUCCESS", "REFUSED"].map(|outcome| json!({"outcome": outcome})));
    // What is wrong with a document is told first, and a key that is none.
    create(&api, &key, &json!({})).await.problem(400);
    for wrong in ["", "two words", &"k".repeat(256)] {
        create(&api, wrong, &Patient::unique().json()).await.problem(400);
    }
}

#[tokio::test]
async fn a_key_is_its_users_own() {
    let ward = Ward::shared();
    let (one, _) = somebody(ward);
    let (other, _) = somebody(ward);
    let key = key();
    let first = create(&one, &key, &Patient::unique().json()).await;
    let second = create(&other, &key, &Patient::unique().json()).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_ne!(first.json()["id"], second.json()["id"]);
}

/// What was refused is not remembered: the address may be free by then.
#[tokio::test]
async fn a_refused_request_may_be_sent_again() {
    let api = Ward::shared().user().await;
    let (taken, key) = (Patient::unique(), key());
    let path = api.create(&taken.json()).await.header("location").to_owned();
    let body = Patient::unique().with("email", taken.email);
    create(&api, &key, &body).await.problem(409);
    create(&api, &key, &body).await.problem(409);
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(create(&api, &key, &body).await.status, 201);
}

#[tokio::test]
async fn of_ten_at_once_one_creates_and_all_get_its_answer() {
    let ward = Ward::shared();
    let (api, _) = somebody(ward);
    for _ in 0..5 {
        let (key, patient) = (key(), Patient::unique());
        let body = patient.json();
        let sending = (0..10).map(|_| create(&api, &key, &body));
        let answers = futures::future::join_all(sending).await;
        let first = essence(&answers[0]);
        assert_eq!(first.0, 201, "{:?}", answers[0]);
        for answer in &answers {
            assert_eq!(essence(answer), first);
        }
        assert_eq!(count(&ward.database("patients").await, &patient.name).await, 1);
    }
}

/// Of requests that say different things one is right, whichever comes first.
#[tokio::test]
async fn of_different_ones_at_once_one_creates_and_the_others_are_refused() {
    let api = Ward::shared().user().await;
    for _ in 0..5 {
        let key = key();
        let bodies: Vec<Value> = (0..6).map(|_| Patient::unique().json()).collect();
        let sending = bodies.iter().map(|body| create(&api, &key, body));
        let answers = futures::future::join_all(sending).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 422, 422, 422, 422, 422]);
    }
}

#[tokio::test]
async fn it_outlives_a_restart_and_is_over_after_a_day() {
    let mut ward = Ward::start(Options::demo());
    let (key, body) = (key(), Patient::unique().json());
    let api = ward.user().await;
    let first = create(&api, &key, &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    ward.kill();
    ward.start_again();
    let api = ward.user().await;
    assert_eq!(essence(&create(&api, &key, &body).await), essence(&first));
    let database = ward.database("patients").await;
    let kept = "SELECT length(key) AS key, length(request) AS request FROM idempotency";
    assert_eq!(database.rows(kept, &[]).await, [json!({"key": 32, "request": 32})]);

    let later = "UPDATE idempotency SET at = at - interval '24 hours'";
    database.run(later, &[]).await.expect("its own table");
    let another = Patient::unique().json();
    let fresh = create(&api, &key, &another).await;
    assert_eq!(fresh.status, 201, "{fresh:?}");
    assert_eq!(essence(&create(&api, &key, &another).await), essence(&fresh));
    // The old ones go with those that come.
    let many = "INSERT INTO idempotency (key, request, patient_id, earlier, at) \
        SELECT decode(md5(n::text), 'hex'), 'x', gen_random_uuid(), '{}', \
            now() - interval '25 hours' FROM generate_series(1, 25) AS n";
    database.run(many, &[]).await.expect("its own table");
    for _ in 0..3 {
        create(&api, &self::key(), &Patient::unique().json()).await;
    }
    assert_eq!(database.rows("SELECT key FROM idempotency", &[]).await.len(), 4);
    assert!(ward.stop().success(), "{}", ward.log());
}
