//! `/api/analytics/stream`: changes as they come, going on after an interruption, and an end in
//! order when ward stops.

use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;
use ward_tests::{Answer, Api, Database, Options, Patient, Ward, claims};

use crate::analytics::{Event, apply};

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of the stream.
pub(crate) struct Listener {
    response: reqwest::Response,
    unread: String,
}

/// What a stream says next.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// An event's id and data.
    Event(String, Value),
    /// Why it ends.
    Ended(Value),
    Comment,
    Retry,
    End,
}

impl Listener {
    pub(crate) async fn open(api: &Api, last: Option<&str>) -> Listener {
        let mut request = api.request("GET", "/api/analytics/stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("a stream");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut listener = Listener { response, unread: String::new() };
        assert_eq!(listener.next().await, Said::Retry);
        listener
    }

    pub(crate) async fn next(&mut self) -> Said {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let said = read(block);
                self.unread = rest.to_owned();
                return said;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            match chunk.expect("something is said").expect("an end, if any, is in order") {
                Some(chunk) => self.unread += std::str::from_utf8(&chunk).expect("text"),
                None => return Said::End,
            }
        }
    }

    /// What it says when it says something other than what has happened.
    pub(crate) async fn last(&mut self) -> Said {
        loop {
            match self.next().await {
                Said::Event(..) | Said::Comment | Said::Retry => {}
                other => return other,
            }
        }
    }

    /// The next event of this patient: its id and its data.
    async fn about(&mut self, patient: &str) -> (String, Value) {
        loop {
            match self.next().await {
                Said::Event(id, data) if data["patientId"] == patient => return (id, data),
                Said::End => panic!("the stream ended"),
                _ => {}
            }
        }
    }
}

fn read(block: &str) -> Said {
    if block.starts_with(':') {
        return Said::Comment;
    }
    if block.starts_with("retry: ") {
        return Said::Retry;
    }
    let (id, data) = block.split_once('\n').expect("two lines");
    let json = |data: &str| {
        let data = data.strip_prefix("data: ").expect("data");
        serde_json::from_str(data).expect("JSON")
    };
    if id == "event: end" {
        return Said::Ended(json(data));
    }
    let id = id.strip_prefix("id: ").expect("an id").to_owned();
    Said::Event(id, json(data))
}

#[tokio::test]
async fn a_change_is_told_to_everybody_who_listens() {
    let (ward, user) = (Ward::shared(), Ward::shared().user().await);
    let database = ward.database("analytics").await;
    let mut listeners = Vec::new();
    for _ in 0..5 {
        listeners.push(Listener::open(&user, None).await);
    }
    let patient = Uuid::new_v4().to_string();
    for version in 1..=3 {
        let event = Event::new(&patient, version, "PATIENT_UPDATED");
        apply(&database, std::slice::from_ref(&event)).await;
        for listener in &mut listeners {
            let (id, data) = listener.about(&patient).await;
            assert_eq!(id, data["sequence"].to_string());
            assert_eq!(data["id"], event.id.as_str());
            assert_eq!(data["version"], version);
        }
    }
    apply(&database, &[Event::new(&patient, 4, "PATIENT_DELETED")]).await;
    let (_, data) = listeners[0].about(&patient).await;
    assert_eq!(data["type"], "PATIENT_DELETED");
}

#[tokio::test]
async fn a_listener_goes_on_where_it_was() {
    let (ward, user) = (Ward::shared(), Ward::shared().user().await);
    let database = ward.database("analytics").await;
    let patient = Uuid::new_v4().to_string();
    let event = |version| Event::new(&patient, version, "PATIENT_UPDATED");
    let mut listener = Listener::open(&user, None).await;
    apply(&database, &[event(1)]).await;
    let (last, _) = listener.about(&patient).await;
    drop(listener);
    // More than one page while nobody listens.
    let missed: Vec<Event> = (2..=1200).map(event).collect();
    apply(&database, &missed).await;
    let mut listener = Listener::open(&user, Some(&last)).await;
    for version in 2..=1200 {
        let (_, data) = listener.about(&patient).await;
        assert_eq!(data["version"], version);
    }
}

#[tokio::test]
async fn a_listener_from_another_world_begins_with_what_comes() {
    let (ward, user) = (Ward::shared(), Ward::shared().user().await);
    let database = ward.database("analytics").await;
    let mut listener = Listener::open(&user, Some("9223372036854775807")).await;
    let patient = Uuid::new_v4().to_string();
    apply(&database, &[Event::new(&patient, 1, "PATIENT_CREATED")]).await;
    assert_eq!(listener.about(&patient).await.1["version"], 1);
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives() {
    // Without demo patients nothing happens.
    let mut ward = Ward::start(Options::default());
    let trusted = ward.api().with_token(&ward.forge().sign(&claims()));
    let mut listener = Listener::open(&trusted, None).await;
    assert_eq!(listener.next().await, Said::Comment);
    assert!(ward.stop().success(), "{}", ward.log());
}

#[tokio::test]
async fn a_stream_ends_in_order_when_ward_stops() {
    let mut ward = Ward::start(Options::demo());
    let user = ward.user().await;
    let database = ward.database("analytics").await;
    let mut listener = Listener::open(&user, None).await;
    let patient = Uuid::new_v4().to_string();
    apply(&database, &[Event::new(&patient, 1, "PATIENT_CREATED")]).await;
    let (last, _) = listener.about(&patient).await;
    ward.terminate();
    // Demo patients may still be on their way.
    while listener.next().await != Said::End {}
    assert!(ward.outcome(PATIENCE).success(), "{}", ward.log());
    for complaint in ["broke off", "an instance ended", "ERROR"] {
        assert!(!ward.log().contains(complaint), "{}", ward.log());
    }

    ward.start_again();
    apply(&ward.database("analytics").await, &[Event::new(&patient, 2, "PATIENT_UPDATED")]).await;
    let mut listener = Listener::open(&ward.user().await, Some(&last)).await;
    assert_eq!(listener.about(&patient).await.1["version"], 2);
    assert!(ward.stop().success(), "{}", ward.log());
}

/// Streams are requests that last; the others do not wait for them.
#[tokio::test]
async fn others_are_answered_beside_many_streams() {
    let ward = Ward::shared();
    let user = ward.user().await;
    let mut listeners = Vec::new();
    for _ in 0..40 {
        listeners.push(Listener::open(&user, None).await);
    }
    for _ in 0..5 {
        assert_eq!(user.get("/api/analytics/summary").await.status, 200);
    }
    let answer: Answer = user.create(&Patient::unique().json()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    drop(listeners);
}

#[tokio::test]
async fn whom_a_stream_told_of_is_in_the_audit_log() {
    let ward = Ward::shared();
    let database = ward.database("analytics").await;
    let claims = claims();
    let who = claims["sub"].as_str().expect("a subject").to_owned();
    let mut listener =
        Listener::open(&ward.api().with_token(&ward.forge().sign(&claims)), None).await;
    let [first, second, last] = [(); 3].map(|()| Uuid::new_v4().to_string());
    apply(&database, &[Event::new(&first, 1, "PATIENT_UPDATED")]).await;
    listener.about(&first).await;
    // The first row is there before anything is told; it may be of another test's patient, and this
    // one's then comes a while later.
    let rows = told(&database, &who).await;
    assert!(!rows.is_empty(), "before it was told");
    assert_eq!(rows[0]["host"], "127.0.0.1");
    until(&database, &who, &first).await;

    let many: Vec<Event> =
        (1..=300).map(|version| Event::new(&second, version, "PATIENT_UPDATED")).collect();
    apply(&database, &many).await;
    while listener.about(&second).await.1["version"] != 300 {}
    until(&database, &who, &second).await;
    let rows = told(&database, &who).await;
    assert!(rows.len() < 100, "not one for each event: {}", rows.len());
    let events: i64 = rows
        .iter()
        .filter(|row| names(row, &second))
        .map(|row| row["row_count"].as_i64().expect("a number"))
        .sum();
    assert!(events >= 300, "{events}");

    apply(&database, &[Event::new(&last, 1, "PATIENT_UPDATED")]).await;
    listener.about(&last).await;
    drop(listener);
    until(&database, &who, &last).await;
}

#[tokio::test]
async fn and_so_is_whom_it_told_of_just_before_ward_stopped() {
    let mut ward = Ward::start(Options::demo());
    let claims = claims();
    let who = claims["sub"].as_str().expect("a subject").to_owned();
    let api = ward.api().with_token(&ward.forge().sign(&claims));
    let database = ward.database("analytics").await;
    let mut listener = Listener::open(&api, None).await;
    // For a while after the first, whom else it tells of waits for the next row.
    let [first, second] = [(); 2].map(|()| Uuid::new_v4().to_string());
    for patient in [&first, &second] {
        apply(&database, &[Event::new(patient, 1, "PATIENT_UPDATED")]).await;
        listener.about(patient).await;
    }
    ward.terminate();
    while listener.next().await != Said::End {}
    assert!(ward.outcome(PATIENCE).success(), "{}", ward.log());
    ward.start_again();
    let rows = told(&ward.database("analytics").await, &who).await;
    for patient in [&first, &second] {
        assert!(rows.iter().any(|row| names(row, patient)), "{rows:?}");
    }
    assert!(ward.stop().success(), "{}", ward.log());
}

/// The rows about what this caller's streams told.
async fn told(database: &Database, who: &str) -> Vec<Value> {
    let sql = "SELECT shown, row_count, host(address) AS host FROM audit_log \
        WHERE actor = $1::text::uuid AND action = 'STREAM' AND shown IS NOT NULL ORDER BY seq";
    database.rows(sql, &[&who]).await
}

fn names(row: &Value, patient: &str) -> bool {
    row["shown"].as_array().is_some_and(|shown| shown.iter().any(|id| id == patient))
}

/// Waits for a row about this patient.
async fn until(database: &Database, who: &str, patient: &str) {
    let start = Instant::now();
    while !told(database, who).await.iter().any(|row| names(row, patient)) {
        assert!(start.elapsed() < PATIENCE, "nobody says that {patient} was told of");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
