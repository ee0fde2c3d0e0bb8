//! `POST /api/patients/{id}/erasure`: what was known of a patient is gone, and that there was one
//! stays.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use ward_tests::{Answer, Api, Database, Options, Patient, Repository, Ward, claims, unique_name};

/// How long the other services may take to hear of it, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks for an erasure of whatever version there is.
async fn erase(api: &Api, path: &str) -> Answer {
    let request = api.request("POST", &format!("{path}/erasure")).header("if-match", "*");
    Answer::of(request.json(&json!({"reason": "CONSENT_WITHDRAWN"}))).await
}

/// A patient all of whose texts can be looked for.
fn marked() -> Patient {
    Patient { address: unique_name("Street"), ..Patient::unique() }
}

/// Waits until this holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_erased_patient_is_gone_like_a_deleted_one() {
    let api = Ward::shared().user().await;
    for deleted in [false, true] {
        let patient = marked();
        let created = api.create(&patient.json()).await;
        let path = created.header("location").to_owned();
        if deleted {
            assert_eq!(api.delete(&path).await.status, 204);
        }
        let answer = erase(&api, &path).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{answer:?}");
        api.get(&path).await.problem(404);
        api.delete(&path).await.problem(404);
        api.replace(&path, &marked().json()).await.problem(404);
        api.send("PUT", &format!("{path}/restriction")).await.problem(404);
        for filter in [json!({"email": patient.email}), json!({"name": patient.name})] {
            assert_eq!(api.search(&filter).await.json(), json!([]));
        }
        // Once more it is as if it had been the first time.
        assert_eq!(erase(&api, &path).await.status, 204);
        // Who comes back is somebody new.
        let again = api.create(&patient.json()).await;
        assert_eq!((again.status, &again.json()["earlierIds"]), (201, &Value::Null), "{again:?}");
    }
}

#[tokio::test]
async fn it_takes_a_version_and_a_reason_out_of_the_list() {
    let api = Ward::shared().user().await;
    let created = api.create(&Patient::unique().json()).await;
    let path = format!("{}/erasure", created.header("location"));
    let reason = json!({"reason": "OBJECTION"});
    api.send_json("POST", &path, &reason).await.problem(428);
    let with = |tag: &str, body: &Value| {
        Answer::of(api.request("POST", &path).header("if-match", tag).json(body))
    };
    with("\"7\"", &reason).await.problem(412);
    let words = with("*", &json!({"reason": "Jane Doe asked me to"})).await;
    assert_eq!(words.failing_fields(), ["/reason"]);
    assert!(!words.body.contains("Jane"), "{words:?}");
    assert_eq!(with("*", &json!({})).await.failing_fields(), ["/reason"]);
    let nobody = format!("/api/patients/{}", uuid::Uuid::new_v4());
    erase(&api, &nobody).await.problem(404);
    assert_eq!(api.get(created.header("location")).await.status, 200, "nothing has happened");
    assert_eq!(with("\"1\"", &reason).await.status, 204);
    // What was expected of who is erased does not matter any more.
    assert_eq!(with("\"1\"", &reason).await.status, 204);
}

#[tokio::test]
async fn each_attempt_is_in_the_audit_log_with_its_reason() {
    let ward = Ward::shared();
    let mut own = claims();
    own["sub"] = uuid::Uuid::new_v4().to_string().into();
    let actor = own["sub"].as_str().expect("a subject").to_owned();
    let api = ward.api().with_token(&ward.forge().sign(&own));
    let created = ward.user().await.create(&Patient::unique().json()).await;
    let path = created.header("location");
    let stale = api.request("POST", &format!("{path}/erasure")).header("if-match", "\"7\"");
    Answer::of(stale.json(&json!({"reason": "UNLAWFUL"}))).await.problem(412);
    erase(&api, &format!("/api/patients/{}", uuid::Uuid::new_v4())).await.problem(404);
    for _ in 0..2 {
        assert_eq!(erase(&api, path).await.status, 204);
    }
    let query = "SELECT action, outcome, erasure_reason, patient_id = $2::text::uuid AS own \
        FROM audit_log WHERE actor = $1::text::uuid ORDER BY seq";
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let rows = ward.database("patients").await.rows(query, &[&actor, &id]).await;
    let row = |outcome: &str, reason: Value, own: bool| -> Value {
        json!({"action": "ERASE", "outcome": outcome, "erasure_reason": reason, "own": own})
    };
    let erased = row("SUCCESS", json!("CONSENT_WITHDRAWN"), true);
    let expected = [
        row("STALE", Value::Null, true),
        row("NOT_FOUND", Value::Null, false),
        erased.clone(),
        erased,
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn what_is_left_in_the_database_is_that_there_was_somebody() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let (first, second) = (marked(), marked());
    let created = api.create(&first.json()).await;
    let path = created.header("location");
    assert_eq!(api.replace(path, &second.json()).await.status, 200);
    assert_eq!(erase(&api, path).await.status, 204);
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let database = ward.database("patients").await;
    let query = "SELECT * FROM patients WHERE id = $1::text::uuid";
    let row = database.rows(query, &[&id]).await.remove(0);
    for gone in ["name", "name_key", "search_key", "email", "shared_email", "address"] {
        assert_eq!(row[gone], Value::Null, "{gone}");
    }
    assert_eq!((&row["date_of_birth"], &row["registered_date"]), (&Value::Null, &Value::Null));
    assert_eq!(row["version"], 3);
    assert!(row["erased_at"].is_string() && row["deleted_at"].is_string(), "{row}");
    let query = "SELECT type, aggregate_version AS version, payload FROM outbox \
        WHERE aggregate_id = $1::text::uuid ORDER BY seq";
    let bare = json!({"id": id});
    let rows = database.rows(query, &[&id]).await;
    let mut updated = bare.clone();
    updated["restricted"] = false.into();
    let expected = [
        json!({"type": "PATIENT_CREATED", "version": 1, "payload": bare}),
        json!({"type": "PATIENT_UPDATED", "version": 2, "payload": updated}),
        json!({"type": "PATIENT_ERASED", "version": 3, "payload": bare}),
    ];
    assert_eq!(rows, expected);
}

/// Of a change and an erasure at the same moment one comes first; whichever that is, nothing stays.
#[tokio::test]
async fn a_change_at_the_same_moment_leaves_nothing_behind() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let database = ward.database("patients").await;
    let mut changes_first = 0;
    for _ in 0..40 {
        let path = api.create(&marked().json()).await.header("location").to_owned();
        let body = marked().json();
        let (changed, erased) = tokio::join!(api.replace(&path, &body), erase(&api, &path));
        assert_eq!(erased.status, 204, "{erased:?}");
        assert!([200, 404].contains(&changed.status), "{changed:?}");
        changes_first += usize::from(changed.status == 200);
        let id = path.rsplit('/').next().expect("an id");
        let query = "SELECT payload FROM outbox WHERE aggregate_id = $1::text::uuid \
            AND payload ?| ARRAY['name', 'email', 'address', 'dateOfBirth', 'registeredDate']";
        assert_eq!(database.rows(query, &[&id]).await, Vec::<Value>::new());
    }
    println!("{changes_first} of 40 changes came first");
}

#[tokio::test]
async fn billing_and_analytics_follow() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let created = api.create(&marked().json()).await.json();
    let patient = created["id"].as_str().expect("an id");
    let account = created["billing"]["accountId"].as_str().expect("an account");
    let analytics = ward.database("analytics").await;
    let carried = "SELECT id FROM events WHERE patient_id = $1::text::uuid AND name IS NOT NULL";
    let is_carried = async || !analytics.rows(carried, &[&patient]).await.is_empty();
    until("the creation arrives", is_carried).await;
    assert_eq!(erase(&api, &format!("/api/patients/{patient}")).await.status, 204);

    let events = format!("/api/analytics/events?patient={patient}&sort=sequence");
    let last = async || api.get(&events).await.json()[1]["type"].clone();
    until("the erasure arrives", async || last().await == "PATIENT_ERASED").await;
    assert!(!is_carried().await);
    let activity = api.get(&format!("/api/analytics/activity?patient={patient}")).await.json();
    assert_eq!((&activity["status"], &activity["version"]), (&json!("DELETED"), &json!(2)));
    let account = api.get(&format!("/api/billing/accounts/{account}")).await.json();
    assert_eq!(account["status"], "CLOSED");
}

/// All databases there are.
const DATABASES: [&str; 6] = ["analytics", "auth", "billing", "events", "key_value", "patients"];

/// A patient is created, changed and among the dead letters; then each table of each database is
/// searched, as their superuser.
#[tokio::test]
async fn no_database_and_no_topic_has_anything_of_who_was_erased() {
    let mut ward = Ward::start(Options::demo());
    let api = ward.user().await;
    let (first, second, other) = (marked(), marked(), marked());
    let created = api.create(&first.json()).await;
    let path = created.header("location").to_owned();
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(api.replace(&path, &second.json()).await.status, 200);
    api.created(&other.json()).await;
    let letters = dead_letters(&ward, &id, &second).await;
    let markers =
        [&first, &second].map(|it| [&it.name, &it.email, &it.address].map(|text| marker(text)));
    let markers = markers.concat();
    until("they are in four databases", async || {
        let found = places(&ward, &markers).await;
        let has = |table: &str| found.iter().any(|(_, own)| own == table);
        ["patients", "outbox", "events", "record"].into_iter().all(has)
    })
    .await;
    let own = async || api.get("/api/analytics/summary").await.json();
    // Ten are there for demonstration.
    until("analytics has heard of all", async || own().await["patients"] == 12).await;
    let summary = own().await;
    assert!(letters.contains("2 dead letters"), "{letters}");

    assert_eq!(erase(&api, &path).await.status, 204);
    until("nothing of them is anywhere", async || places(&ward, &markers).await.is_empty()).await;
    let database = ward.administrator("events").await;
    let kept = "SELECT position FROM record WHERE value IS NULL";
    assert!(database.rows(kept, &[]).await.len() >= 4, "records stay where they were");
    // Who was not erased is there.
    assert!(!places(&ward, &[marker(&other.name)]).await.is_empty());
    assert!(!places(&ward, &[marker(&other.address)]).await.is_empty());

    until("analytics has heard of it", async || own().await["events"]["erased"] == 1).await;
    let after = own().await;
    assert_eq!(after["patients"], 11);
    assert_eq!(after["events"]["created"], summary["events"]["created"]);
    let rebuilt = api.send("POST", "/api/analytics/rebuild").await;
    assert_eq!(rebuilt.status, 200, "{rebuilt:?}");
    assert_eq!(own().await, after);
    assert!(places(&ward, &markers).await.is_empty());

    let listed = events(&ward, &["dead-letters"]);
    assert!(listed.contains("0 dead letters") && !listed.contains(&id), "{listed}");
    let whole = ward.beside(&["audit", "verify"], "");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stdout));
    assert!(ward.stop().success(), "{}", ward.log());
    let log = ward.log().to_lowercase();
    assert!(markers.iter().all(|marker| !log.contains(marker.as_str())));
}

/// The part of a text that no other has.
fn marker(text: &str) -> String {
    let part = text.split([' ', '-', '@']).find(|part| part.len() == 32);
    part.expect("a unique part").to_lowercase()
}

/// Makes an event of the patient that analytics and billing refuse; says how many letters that are.
async fn dead_letters(ward: &Ward, id: &str, patient: &Patient) -> String {
    let event = json!({
        "patientId": "nobody", "eventType": "PATIENT_CREATED", "version": 1, "name": patient.name,
        "email": patient.email, "dateOfBirth": "1985-06-15", "registeredDate": "2024-01-10",
        "restricted": false,
    });
    events(ward, &["produce", "patient", "--key", id, "--json", &event.to_string()]);
    let start = Instant::now();
    loop {
        let listed = events(ward, &["dead-letters", "--reveal"]);
        if listed.contains("2 dead letters") {
            return listed;
        }
        assert!(start.elapsed() < PATIENCE, "{listed}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What `ward events` prints, which must work.
fn events(ward: &Ward, arguments: &[&str]) -> String {
    let state = ward.state().display().to_string();
    let arguments = [&["events", "--state-dir", &state], arguments].concat();
    let output = Ward::run(&arguments, Repository::here().root());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The databases and tables that have one of these anywhere.
async fn places(ward: &Ward, markers: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for service in DATABASES {
        let database = ward.administrator(service).await;
        let tables = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS place, \
            c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
            WHERE c.relkind IN ('r', 'm') \
                AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
        for table in database.rows(tables, &[]).await {
            let text = |member: &str| table[member].as_str().expect("a text").to_owned();
            if holds(&database, &text("place"), markers).await {
                found.push((service.to_owned(), text("name")));
            }
        }
    }
    found
}

/// Whether a row has one of these, as text or within bytes, which are written as digits.
async fn holds(database: &Database, table: &str, markers: &[String]) -> bool {
    let hex = |text: &String| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let patterns: Vec<String> = markers
        .iter()
        .flat_map(|marker| [marker.clone(), hex(marker)])
        .map(|pattern| format!("%{pattern}%"))
        .collect();
    let query = format!("SELECT 1 AS one FROM {table} AS t WHERE t::text ILIKE ANY ($1) LIMIT 1");
    !database.rows(&query, &[&patterns]).await.is_empty()
}
