//! `/api/analytics`: what events say, counted; bad questions; the audit rows. Events come straight
//! into the service's database, through the statement that its consumer uses.

use serde_json::{Value, json};
use uuid::Uuid;
use ward_tests::{Answer, Api, Database, Options, Ward, claims, claims_of};

/// An event on its way into the event store.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) patient: String,
    pub(crate) version: i64,
    pub(crate) kind: &'static str,
    pub(crate) occurred_at: String,
    pub(crate) born: &'static str,
}

impl Event {
    pub(crate) fn new(patient: &str, version: i64, kind: &'static str) -> Event {
        Event {
            id: Uuid::new_v4().to_string(),
            patient: patient.to_owned(),
            version,
            kind,
            occurred_at: "2024-02-29T10:00:00Z".to_owned(),
            born: "1990-05-06",
        }
    }
}

/// Applies events as the consumer does; returns the ids that were refused.
pub(crate) async fn apply(database: &Database, events: &[Event]) -> Vec<Value> {
    let texts = |of: fn(&Event) -> &str| -> Vec<String> {
        events.iter().map(|event| of(event).to_owned()).collect()
    };
    let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
    let query = "SELECT apply_events($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[],
        $6::text[], $7::text[], $8::text[], $8::text[]) AS id";
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] = [
        &texts(|event| &event.id),
        &texts(|event| &event.patient),
        &versions,
        &texts(|event| event.kind),
        &texts(|event| &event.occurred_at),
        &texts(|_| "Seed Name"),
        &texts(|_| "seed@example.test"),
        &texts(|event| event.born),
    ];
    database.rows(query, &parameters).await
}

fn a_patient() -> String {
    Uuid::new_v4().to_string()
}

#[tokio::test]
async fn a_patients_activity() {
    let (ward, user) = (Ward::shared(), Ward::shared().user().await);
    let database = ward.database("analytics").await;
    let patient = a_patient();
    let path = format!("/api/analytics/activity?patient={patient}");
    user.get(&path).await.problem(404);
    let created = Event::new(&patient, 1, "PATIENT_CREATED");
    let deleted =
        Event { occurred_at: "2024-03-01T00:00:00Z".into(), version: 2, ..created.clone() };
    let deleted = Event { id: a_patient(), kind: "PATIENT_DELETED", ..deleted };
    apply(&database, &[created.clone(), deleted, created]).await;
    let expected = json!({
        "patientId": patient,
        "status": "DELETED",
        "version": 2,
        "events": 2,
        "firstAt": "2024-02-29T10:00:00.000000Z",
        "lastAt": "2024-03-01T00:00:00.000000Z",
    });
    assert_eq!(user.get(&path).await.json(), expected);
    let most = user.get("/api/analytics/activity?limit=500").await.json();
    assert!(most.as_array().expect("a list").contains(&expected), "{most}");
}

#[tokio::test]
async fn the_timeline_counts_what_happened_when() {
    let (ward, user) = (Ward::shared(), Ward::shared().user().await);
    let database = ward.database("analytics").await;
    // A day that no other test's events are of.
    let at = |version, kind, time: &str| {
        let occurred_at = format!("1951-02-03T{time}Z");
        Event { occurred_at, ..Event::new("51000000-0000-0000-0000-000000000000", version, kind) }
    };
    let events = [
        at(1, "PATIENT_CREATED", "00:00:00"),
        at(2, "PATIENT_UPDATED", "00:59:59"),
        at(3, "PATIENT_DELETED", "02:00:00"),
    ];
    apply(&database, &events).await;
    let query = "bucket=hour&from=1951-02-03T00:30:00Z&to=1951-02-03T03:00:00Z";
    let shown = user.get(&format!("/api/analytics/timeline?{query}")).await.json();
    let bucket = |hour: u8, counts: [u8; 3]| {
        json!({
            "at": format!("1951-02-03T0{hour}:00:00.000000Z"),
            "created": counts[0], "updated": counts[1], "deleted": counts[2],
            "erased": 0,
        })
    };
    let expected = json!({
        "bucket": "hour",
        "from": "1951-02-03T00:00:00.000000Z",
        "to": "1951-02-03T03:00:00.000000Z",
        "buckets": [bucket(0, [1, 1, 0]), bucket(1, [0, 0, 0]), bucket(2, [0, 0, 1])],
    });
    assert_eq!(shown, expected);
    let days = user.get("/api/analytics/timeline?bucket=day").await.json();
    assert_eq!(days["buckets"].as_array().map(Vec::len), Some(60), "two months without a span");
}

#[tokio::test]
async fn events_are_paged_and_say_nothing_of_who_it_was() {
    let (ward, user) = (Ward::shared(), Ward::shared().user().await);
    let database = ward.database("analytics").await;
    let patient = a_patient();
    let events: Vec<Event> =
        (1..=5).map(|version| Event::new(&patient, version, "PATIENT_UPDATED")).collect();
    apply(&database, &events).await;
    for (sort, versions) in [("sequence", [1, 2, 3, 4, 5]), ("-sequence", [5, 4, 3, 2, 1])] {
        let query = format!("patient={patient}&limit=2&sort={sort}");
        let mut next = Some(format!("/api/analytics/events?{query}"));
        let mut seen = Vec::new();
        while let Some(path) = next {
            let page = user.get(&path).await;
            assert!(!page.body.to_lowercase().contains("seed"), "{page:?}");
            let page_events = page.json().as_array().expect("a list").clone();
            assert!((1..=2).contains(&page_events.len()), "{page:?}");
            seen.extend(page_events.iter().map(|event| event["version"].as_i64().unwrap()));
            next = page.next_link();
        }
        assert_eq!(seen, versions);
    }
    let one =
        &user.get(&format!("/api/analytics/events?patient={patient}&limit=1")).await.json()[0];
    assert_eq!(one["id"], events[4].id.as_str());
    assert_eq!(one["type"], "PATIENT_UPDATED");
    assert_eq!(one["occurredAt"], "2024-02-29T10:00:00.000000Z");
}

#[tokio::test]
async fn everything_adds_up_and_a_rebuild_changes_nothing() {
    // With a broker that is not there, so that nothing else comes.
    let arguments = ["--kafka-brokers", "127.0.0.1:1"].map(str::to_owned).to_vec();
    let mut ward = Ward::start(Options { arguments, ..Options::demo() });
    let user = ward.user().await;
    let database = ward.database("analytics").await;
    let empty = user.get("/api/analytics/summary").await.json();
    assert_eq!((&empty["patients"], &empty["sequence"]), (&json!(0), &json!(0)));
    assert_eq!(user.get("/api/analytics/lag").await.json()["last"], Value::Null);

    let patients: Vec<String> = (0..10).map(|_| a_patient()).collect();
    let created = |patient: &String| Event {
        occurred_at: "2024-01-01T00:00:00Z".into(),
        born: "1900-01-01",
        ..Event::new(patient, 1, "PATIENT_CREATED")
    };
    let updated = |patient: &String| Event::new(patient, 2, "PATIENT_UPDATED");
    let deleted = |patient: &String| Event::new(patient, 3, "PATIENT_DELETED");
    apply(&database, &patients.iter().map(created).collect::<Vec<_>>()).await;
    apply(&database, &patients[..4].iter().map(updated).collect::<Vec<_>>()).await;
    apply(&database, &patients[..1].iter().map(deleted).collect::<Vec<_>>()).await;

    let summary = user.get("/api/analytics/summary").await.json();
    assert_eq!(summary["patients"], 9, "{summary}");
    assert_eq!(summary["events"], json!({"created": 10, "updated": 4, "deleted": 1, "erased": 0}));
    let bands = summary["ageBands"].as_array().expect("bands");
    let band = |from: u64| bands.iter().find(|band| band["from"] == from).expect("a band");
    // Three were corrected to be born in 1990 and so are 30 to 44 until 2035.
    assert_eq!((&band(30)["patients"], &band(75)["patients"]), (&json!(3), &json!(6)));
    let lag = user.get("/api/analytics/lag").await.json();
    assert_eq!(lag["last"]["sequence"], summary["sequence"]);
    assert_eq!(lag["spans"][2]["events"], 15, "{lag}");

    let rebuilt = user.send("POST", "/api/analytics/rebuild").await;
    assert_eq!(rebuilt.status, 200, "{rebuilt:?}");
    assert_eq!(rebuilt.json()["state"], "SWITCHED");
    assert_eq!(user.get("/api/analytics/summary").await.json(), summary);
    let old = "SELECT count(*) AS n FROM patients WHERE generation <> 2";
    assert_eq!(database.rows(old, &[]).await[0]["n"], 0, "the old ones are gone");
    assert!(ward.stop().success(), "{}", ward.log());
}

#[tokio::test]
async fn who_may_look_may_not_rebuild() {
    let ward = Ward::shared();
    let auditor = ward.api().with_token(&ward.forge().sign(&claims_of("AUDITOR")));
    auditor.send("POST", "/api/analytics/rebuild").await.problem(403);
    assert_eq!(auditor.get("/api/analytics/lag").await.status, 200);
}

#[tokio::test]
async fn bad_questions_are_refused_in_every_part() {
    let user = Ward::shared().user().await;
    for query in [
        "summary?x=1",
        "lag?minutes=5",
        "activity?patient=",
        "activity?patient=42",
        "activity?patient=123e4567-e89b-12d3-a456-426614174000&limit=1",
        "activity?limit=501",
        "timeline",
        "timeline?bucket=week",
        "timeline?bucket=day&from=yesterday",
        "timeline?bucket=day&from=0001-01-01T00:00:00Z",
        "timeline?bucket=minute&from=2024-01-01T00:00:00Z&to=2024-01-03T00:00:00Z",
        "timeline?bucket=day&from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z",
        "timeline?bucket=day&bucket=day",
        "events?limit=0",
        "events?sort=version",
        "events?after=7",
        "events?patient=%27%3B--",
        "events?offset=%00",
        "stream?from=1",
    ] {
        let answer = user.get(&format!("/api/analytics/{query}")).await;
        let problem = answer.problem(400);
        assert_eq!(problem["type"], "urn:ward:problem:bad-request", "{query}");
    }
    user.send("POST", "/api/analytics/rebuild?now=1").await.problem(400);
    let request = user.request("GET", "/api/analytics/stream").header("last-event-id", "x");
    Answer::of(request).await.problem(400);
}

#[tokio::test]
async fn methods_and_paths_that_are_not_there() {
    let user = Ward::shared().user().await;
    for (method, path, allow) in [
        ("POST", "summary", "GET, HEAD, OPTIONS"),
        ("DELETE", "events", "GET, HEAD, OPTIONS"),
        ("PUT", "activity", "GET, HEAD, OPTIONS"),
        ("GET", "rebuild", "POST, OPTIONS"),
        ("POST", "stream", "GET, OPTIONS"),
        ("HEAD", "stream", "GET, OPTIONS"),
    ] {
        let answer = user.send(method, &format!("/api/analytics/{path}")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
    }
    for path in ["", "/", "/nothing", "/summary/x", "/events/7"] {
        user.get(&format!("/api/analytics{path}")).await.problem(404);
    }
    let head = user.send("HEAD", "/api/analytics/summary").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(user.send("OPTIONS", "/api/analytics/lag").await.status, 204);
}

#[tokio::test]
async fn each_access_leaves_one_audit_row() {
    let ward = Ward::shared();
    let mut own = claims();
    own["sub"] = a_patient().into();
    let user = ward.api().with_token(&ward.forge().sign(&own));
    let patient = a_patient();
    for path in [
        "summary".to_owned(),
        "activity".to_owned(),
        format!("activity?patient={patient}"),
        "timeline?bucket=hour".to_owned(),
        format!("events?patient={patient}"),
        "lag".to_owned(),
    ] {
        user.get(&format!("/api/analytics/{path}")).await;
    }
    let stream = user.request("GET", "/api/analytics/stream").send().await.expect("a stream");
    assert_eq!(stream.status(), 200);
    drop(stream);
    user.get("/api/analytics/summary?x=1").await.problem(400);
    let rows = audit(&ward.database("analytics").await, own["sub"].as_str().unwrap()).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let seen: Vec<String> = rows.iter().map(|row| text(&row["action"])).collect();
    let expected = ["SUMMARY", "ACTIVITY", "ACTIVITY", "TIMELINE", "EVENTS", "LAG", "STREAM"];
    assert_eq!(seen, expected);
    assert_eq!(rows[2]["outcome"], "NOT_FOUND");
    assert_eq!(rows[2]["patient_id"], patient.as_str());
    assert_eq!(rows[4]["patient_id"], patient.as_str());
    assert_eq!(rows[4]["row_count"], 0);
    assert!(rows.iter().all(|row| row["request_id"].is_string()), "{rows:?}");
}

#[tokio::test]
async fn the_service_cannot_rewrite_what_it_was_told_or_what_was_asked() {
    let database = Ward::shared().database("analytics").await;
    apply(&database, &[Event::new(&a_patient(), 1, "PATIENT_CREATED")]).await;
    Ward::shared().user().await.get("/api/analytics/lag").await;
    for statement in [
        "UPDATE audit_log SET outcome = 'SUCCESS'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "UPDATE events SET version = 9",
        "DELETE FROM events",
        "TRUNCATE events",
    ] {
        assert!(database.run(statement, &[]).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_port_of_its_own() {
    let ward = Ward::shared();
    let own = Api::new(ward.listener("analytics").expect("analytics has a port of its own"));
    own.get("/api/analytics/summary").await.problem(401);
    let user = own.with_token(&ward.forge().sign(&claims()));
    assert_eq!(user.get("/api/analytics/summary").await.status, 200);
    assert_eq!(user.get("/api/patients").await.status, 404);
}

async fn audit(database: &Database, actor: &str) -> Vec<Value> {
    let query = "SELECT * FROM audit_log WHERE actor = $1::text::uuid ORDER BY seq";
    database.rows(query, &[&actor]).await
}
