//! A short round of chaos, a crash at the worst moment, and that the ledger would notice: a relay
//! that marks before the log has an event, and a consumer without an inbox.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use ward_tests::chaos::{Chaos, Ledger, Told};
use ward_tests::{Api, Database, Options, Patient, Repository, Ward};

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_everything_is_killed_and_frozen() {
    let ledger = Chaos { rounds: 4, rate: 60, clients: 3, kafka: false }.run().await;
    assert!(ledger.is_balanced(), "{ledger}");
    assert!(ledger.accepted > 0 && ledger.applied >= ledger.accepted, "{ledger}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_a_crash_arrives_after_it() {
    let mut ward = Ward::start(Options::default());
    let (told, frozen) = told_while_frozen(&ward, 5).await;
    // The log has taken nothing, so ward dies between its answers and the relay.
    crash(&mut ward, frozen).await;
    ward.start_again();
    let ledger = wait(&ward, &told, Ledger::is_balanced).await;
    assert_eq!((ledger.accepted, ledger.applied), (6, 6), "{ledger}");
    assert!(ward.stop().success(), "{}", ward.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_marks_before_the_log_has_it_is_found_out() {
    let mut ward = Ward::start(Options::default());
    let (mut told, frozen) = told_while_frozen(&ward, 5).await;
    let mark = "UPDATE outbox SET published_at = now() WHERE published_at IS NULL";
    assert_eq!(ward.database("patients").await.run(mark, &[]).await, Ok(5));
    crash(&mut ward, frozen).await;
    ward.start_again();
    // One more, to know that everything works again, and that the others will not come.
    told.extend(created(&trusted(&ward), 1).await);
    let ledger = wait(&ward, &told, |ledger| ledger.consumed == 2).await;
    assert_eq!(ledger.lost.iter().filter(|lost| lost.contains("not consumed")).count(), 5);
    assert!(ward.stop().success(), "{}", ward.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_without_an_inbox_is_found_out() {
    let mut ward = Ward::start(Options::default());
    let told = created(&trusted(&ward), 5).await;
    wait(&ward, &told, Ledger::is_balanced).await;
    let plant = "ALTER TABLE events DROP CONSTRAINT events_pkey, \
                 DROP CONSTRAINT events_patient_id_version_key";
    assert!(ward.administrator("analytics").await.run(plant, &[]).await.is_ok());
    assert!(ward.stop().success(), "{}", ward.log());
    replay(&ward);
    ward.start_again();
    let ledger = wait(&ward, &told, |ledger| ledger.applied == 10).await;
    assert_eq!(ledger.doubled.len(), 6, "each event, and the projections: {ledger}");
    assert!(ward.stop().success(), "{}", ward.log());
}

/// Has analytics read everything again.
fn replay(ward: &Ward) {
    let state = ward.state().display().to_string();
    let arguments = ["events", "--state-dir", &state, "replay", "--group", "analytics"];
    let arguments = [&arguments[..], &["--from", "earliest"]].concat();
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

/// One patient who is everywhere, and so many whose events cannot leave: the log stands still for
/// as
/// long as the connection to it lasts that comes with them.
async fn told_while_frozen(ward: &Ward, count: usize) -> (Told, Database) {
    let api = trusted(ward);
    let mut told = created(&api, 1).await;
    wait(ward, &told, Ledger::is_balanced).await;
    let log = ward.event_log().await;
    for statement in ["BEGIN", "LOCK TABLE part IN ACCESS EXCLUSIVE MODE"] {
        assert!(log.run(statement, &[]).await.is_ok());
    }
    told.extend(created(&api, count).await);
    (told, log)
}

/// Kills ward, and what it asked of the log and has no answer to: a server goes on with a statement
/// whose client is gone, and would write once the log no longer stands still.
async fn crash(ward: &mut Ward, frozen: Database) {
    ward.kill();
    let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(frozen.run(others, &[]).await.is_ok());
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
