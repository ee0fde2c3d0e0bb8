//! The component itself, called as a trigger calls it: typed deliveries in, an outcome for each
//! out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;
use ward_manifest::{App, RuntimeConfig, Variables};
use ward_runtime::{CallContext, Function, Host, HostOptions};
use ward_wire::Value;

use crate::store::{CREATED, DELETED, ERASED, Event, Store, UPDATED, is_last};

/// The component, loaded and connected to a database.
struct Component {
    consume: Function,
    _directory: TempDir,
}

impl Component {
    fn load(url: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let wasm = target.join("wasm32-wasip2/release/analytics.wasm");
        assert!(wasm.is_file(), "{} is missing; `ward build` makes it", wasm.display());
        let manifest = format!(
            "spin_manifest_version = 2\n[application]\nname = \"test\"\n[[trigger.http]]\n\
             route = {{ private = true }}\ncomponent = \"analytics\"\n[component.analytics]\n\
             source = {wasm:?}\nallowed_outbound_hosts = [\"postgres://127.0.0.1:*\"]\n\
             variables = {{ analytics_db_url = {url:?} }}\n"
        );
        std::fs::write(directory.path().join("spin.toml"), manifest).unwrap();
        let app = App::load(directory.path()).unwrap_or_else(|findings| panic!("{findings:?}"));
        let none = BTreeMap::new();
        let variables = Variables::new(&app, BTreeMap::new(), &RuntimeConfig::default(), &none);
        let variables = Arc::new(variables.unwrap_or_else(|findings| panic!("{findings:?}")));
        let state_dir = directory.path().join("state");
        let options = HostOptions { state_dir, quiet: true, ..HostOptions::default() };
        let load = || Host::open(Arc::new(app), variables, options).and_then(|host| host.load());
        let release = Arc::new(tokio::task::block_in_place(load).unwrap());
        let interface = "pms:patients/consumer@1.0.0";
        let consume = release.function("analytics", interface, "consume").unwrap();
        Self { consume, _directory: directory }
    }

    /// The outcomes of deliveries: `done`, `retry <ms>` or `reject <reason>`.
    async fn consume(&self, deliveries: Vec<Value>) -> Vec<String> {
        let arguments = vec![Value::List(deliveries)];
        let outcomes = self.consume.call(arguments, &CallContext::default()).await.unwrap();
        let Some(Value::List(outcomes)) = outcomes else { panic!("{outcomes:?}") };
        outcomes.into_iter().map(outcome).collect()
    }
}

fn outcome(value: Value) -> String {
    let Value::Variant(case, payload) = value else { panic!("{value:?}") };
    match (case, payload.map(|payload| *payload)) {
        (0, None) => "done".to_owned(),
        (1, Some(Value::U32(pause))) => format!("retry {pause}"),
        (2, Some(Value::String(reason))) => format!("reject {reason}"),
        other => panic!("{other:?}"),
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// A delivery of an event, as the trigger makes it of a record.
fn delivery(event: &Event) -> Value {
    let header = Value::Tuple(vec![text("ce_type"), text(event.kind)]);
    let position = vec![
        text("patient"),
        Value::S32(0),
        Value::S64(7),
        text(&event.patient.to_string()),
        Value::List(vec![header]),
    ];
    let (name, email) = match event.kind {
        kind if is_last(kind) => ("", ""),
        _ => ("Ann Lee", "ann@example.test"),
    };
    let born = event.born.as_deref().unwrap_or_default();
    let event = vec![
        text(&event.patient.to_string()),
        text(name),
        text(email),
        text(event.kind),
        text(&event.id.to_string()),
        Value::S64(event.version),
        text(&event.occurred_at),
        text(born),
        text(if born.is_empty() { "" } else { "2024-01-01" }),
        Value::Bool(false),
    ];
    Value::Record(vec![Value::Record(position), Value::Record(event)])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_of_a_batch_gets_its_outcome() {
    let store = Store::new().await;
    let component = Component::load(store.url());
    let patient = Uuid::new_v4();
    let created = Event::new(patient, 1, CREATED, "1990-01-01");
    let other = Event::new(patient, 1, CREATED, "1990-01-01");
    let updated = Event::new(patient, 2, UPDATED, "1990-01-02");
    let third = Event::new(patient, 3, UPDATED, "1990-01-01");
    let impossible = Event { occurred_at: "soon".into(), ..third };
    let unknown = Event::new(patient, 3, "PATIENT_MERGED", "1990-01-01");
    let batch = [&created, &created, &impossible, &other, &unknown, &updated];
    let outcomes = component.consume(batch.map(delivery).into()).await;
    let expected = [
        "done",
        "done",
        "reject occurred-at is no RFC 3339",
        "reject another event of the same patient's same version is known",
        "done",
        "done",
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(store.patient(patient).await, Some((2, false, Some("1990-01-02".into()), 2)));
    assert_eq!(store.kept_and_erased(patient).await, (2, 0));

    let deleted = delivery(&Event::new(patient, 3, DELETED, ""));
    assert_eq!(component.consume(vec![deleted, delivery(&created)]).await, ["done", "done"]);
    assert_eq!(store.kept_and_erased(patient).await, (0, 3));
    assert!(component.consume(Vec::new()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_counted_no_more_and_nothing_of_them_is_kept() {
    let store = Store::new().await;
    let component = Component::load(store.url());
    let patient = Uuid::new_v4();
    let created = Event { restricted: true, ..Event::new(patient, 1, CREATED, "1990-01-01") };
    store.apply(&[created]).await;
    // What was projected before is still there.
    store.rebuild(10).await;
    let erased = Event::new(patient, 3, ERASED, "");
    let late = Event::new(patient, 2, UPDATED, "1990-01-01");
    assert_eq!(component.consume(vec![delivery(&erased)]).await, ["done"]);
    // Who may not see a restricted patient sees no more of one who was erased.
    let restricted = "SELECT count(*) FROM restricted WHERE restricted AND version = 1";
    assert_eq!(store.number(restricted).await, 1);
    assert_eq!(component.consume(vec![delivery(&late)]).await, ["done"]);
    assert_eq!(store.patient(patient).await, Some((3, true, None, 3)));
    assert_eq!(store.kept_and_erased(patient).await, (0, 3));
    let known = "SELECT count(*) FROM patients WHERE date_of_birth IS NOT NULL";
    assert_eq!(store.number(known).await, 0);
    assert_eq!(store.number("SELECT count(*) FROM patients").await, 2);
    let births = "SELECT count(*) FROM births JOIN projection USING (generation)";
    assert_eq!(store.number(births).await, 0);
    let counted = "SELECT sum(events)::bigint FROM counts JOIN projection USING (generation) \
                   WHERE bucket = 'day' AND type = ";
    assert_eq!(store.number(&format!("{counted}'{ERASED}'")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_statement_takes_is_applied_in_several() {
    let store = Store::new().await;
    let component = Component::load(store.url());
    let event = |_| delivery(&Event::new(Uuid::new_v4(), 1, CREATED, "1990-01-01"));
    let outcomes = component.consume((0..2001).map(event).collect()).await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "done").count(), 2001);
    assert_eq!(store.number("SELECT count(*) FROM events").await, 2001);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_everything_comes_again() {
    // A port that was free a moment ago, and that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let component = Component::load(&format!("postgres://nobody:x@{free}/nothing"));
    let event = || delivery(&Event::new(Uuid::new_v4(), 1, CREATED, "1990-01-01"));
    assert_eq!(component.consume(vec![event(), event()]).await, ["retry 500"; 2]);

    let store = Store::new().await;
    let drop = "DROP FUNCTION apply_events(text[], text[], bigint[], text[], text[], text[], \
                text[], text[], text[], boolean[])";
    store.client.batch_execute(drop).await.unwrap();
    let component = Component::load(store.url());
    assert_eq!(component.consume(vec![event()]).await, ["retry 5000"], "a mistake of ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_database_refuses_is_rejected_alone() {
    let store = Store::new().await;
    let constraint = "ALTER TABLE events ADD CHECK (version <> 13)";
    store.client.batch_execute(constraint).await.unwrap();
    let component = Component::load(store.url());
    let event = |version| delivery(&Event::new(Uuid::new_v4(), version, UPDATED, "1990-01-01"));
    let outcomes = component.consume((10..=16).map(event).collect()).await;
    let refused = "reject the database refuses its values";
    let expected: Vec<_> = (10..=16).map(|v| if v == 13 { refused } else { "done" }).collect();
    assert_eq!(outcomes, expected);
    assert_eq!(store.number("SELECT count(*) FROM events").await, 6);
}
