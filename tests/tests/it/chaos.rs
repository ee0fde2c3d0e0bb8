//! A short round of chaos, a crash at the worst moment, and that the ledger would notice: a relay
//! that marks before the broker has an event, and a consumer without an inbox.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use ward_tests::chaos::{Chaos, Ledger, Told};
use ward_tests::{Api, Options, Patient, Repository, Ward};

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_everything_is_killed_and_frozen() {
    let ledger = Chaos { rounds: 4, rate: 60, clients: 3 }.run().await;
    assert!(ledger.is_balanced(), "{ledger}");
    assert!(ledger.accepted > 0 && ledger.applied >= ledger.accepted, "{ledger}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_a_crash_arrives_after_it() {
    let mut ward = Ward::start(Options::default());
    let told = told_while_frozen(&ward, 5).await;
    // The broker has taken nothing, so ward dies between its answers and the relay.
    ward.kill();
    signal("KILL", &ward.state());
    ward.start_again();
    let ledger = wait(&ward, &told, Ledger::is_balanced).await;
    assert_eq!((ledger.accepted, ledger.applied), (6, 6), "{ledger}");
    assert!(ward.stop().success(), "{}", ward.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_marks_before_the_broker_has_it_is_found_out() {
    let mut ward = Ward::start(Options::default());
    let mut told = told_while_frozen(&ward, 5).await;
    let mark = "UPDATE outbox SET published_at = now() WHERE published_at IS NULL";
    assert_eq!(ward.database("patients").await.run(mark, &[]).await, Ok(5));
    ward.kill();
    signal("KILL", &ward.state());
    ward.start_again();
    // One more, to know that everything works again, and that the others will not come.
    told.extend(created(&trusted(&ward), 1).await);
    let ledger = wait(&ward, &told, |ledger| ledger.consumed == 2).await;
    assert_eq!(ledger.lost.iter().filter(|lost| lost.contains("not consumed")).count(), 5);
    assert!(ward.stop().success(), "{}", ward.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_without_an_inbox_is_found_out() {
    let (mut elsewhere, address) = broker();
    let brokers = vec!["--kafka-brokers".to_owned(), address];
    let mut ward = Ward::start(Options { arguments: brokers.clone(), ..Options::default() });
    let told = created(&trusted(&ward), 5).await;
    wait(&ward, &told, Ledger::is_balanced).await;
    let plant = "ALTER TABLE events DROP CONSTRAINT events_pkey, \
                 DROP CONSTRAINT events_patient_id_version_key";
    assert!(ward.database("analytics").await.run(plant, &[]).await.is_ok());
    assert!(ward.stop().success(), "{}", ward.log());
    replay(&ward, &brokers);
    ward.start_again();
    let ledger = wait(&ward, &told, |ledger| ledger.applied == 10).await;
    assert_eq!(ledger.doubled.len(), 6, "each event, and the projections: {ledger}");
    assert!(ward.stop().success(), "{}", ward.log());
    assert!(elsewhere.stop().success(), "{}", elsewhere.log());
}

/// A ward that does nothing but run a broker: one that does not end with the ward under test.
fn broker() -> (Ward, String) {
    let manifest = Repository::here().manifest_for_anywhere();
    let (before, rest) = manifest.split_once("[[application.trigger.kafka.outbox]]").unwrap();
    let (_, rest) = rest.split_once("# ── Routes").unwrap();
    let (routes, rest) = rest.split_once("[[trigger.kafka]]").unwrap();
    let (_, components) = rest.split_once("# ── Components").unwrap();
    let text = format!("{before}#{routes}#{components}");
    let home = Ward::new_home();
    let file = home.path().join("spin.toml");
    fs::write(&file, text).expect("a file is written");
    let ward = Ward::start(Options { from: Some(file), ..Options::default() });
    let address = ward.broker();
    (ward, address)
}

/// Has analytics read everything again.
fn replay(ward: &Ward, brokers: &[String]) {
    let state = ward.state().display().to_string();
    let mut arguments = vec!["events", "--state-dir", &state];
    arguments.extend(brokers.iter().map(String::as_str));
    arguments.extend(["replay", "--group", "analytics", "--from", "earliest"]);
    let output = Ward::run(&arguments, Repository::here().root());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn trusted(ward: &Ward) -> Api {
    ward.api().with_token(&ward.forge().sign(&ward_tests::claims()))
}

/// Patients created, as their clients know it.
async fn created(api: &Api, count: usize) -> Told {
    let mut told = Told::new();
    for _ in 0..count {
        let body = api.created(&Patient::unique().json()).await;
        told.insert(body["id"].as_str().expect("an id").to_owned(), vec![1]);
    }
    told
}

/// One patient who is everywhere, and so many whose events cannot leave: the broker stands still.
async fn told_while_frozen(ward: &Ward, count: usize) -> Told {
    let api = trusted(ward);
    let mut told = created(&api, 1).await;
    wait(ward, &told, Ledger::is_balanced).await;
    signal("STOP", &ward.state());
    told.extend(created(&api, count).await);
    told
}

fn signal(name: &str, state: &Path) {
    let pid = fs::read_to_string(state.join("nisshi.pid")).expect("a broker runs");
    let sent = Command::new("kill").args([&format!("-{name}"), pid.trim()]).status();
    assert!(sent.expect("kill runs").success());
}

/// The ledger, once it is as it should be.
async fn wait(ward: &Ward, told: &Told, enough: impl Fn(&Ledger) -> bool) -> Ledger {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ledger = Ledger::of(ward, told).await;
        if enough(&ledger) {
            return ledger;
        }
        assert!(Instant::now() < deadline, "not in time: {ledger}\n{}", ward.log());
        sleep(Duration::from_millis(100)).await;
    }
}
