//! Many at once: one account for a patient, one entry for an id, one reversal for an entry, and
//! every booking counted.

use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use ward_tests::{Answer, Ward};

use super::{ACCOUNTS, balance, booking, open, patient, post, posted, voiding};

/// Writers at once; more than the connections of a small pool.
const WRITERS: usize = 24;

#[tokio::test]
async fn the_link_and_the_event_open_one_account_between_them() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let made = join_all((0..WRITERS).map(|_| patient(&api))).await;
    let accounts: BTreeSet<&String> = made.iter().map(|(_, account)| account).collect();
    assert_eq!(accounts.len(), WRITERS);
    let database = ward.database("billing").await;
    let opened = "SELECT count(*) AS n FROM outbox WHERE type = 'ACCOUNT_OPENED' \
                  AND payload->>'patientId' = $1";
    for (patient, _) in &made {
        assert_eq!(database.rows(opened, &[patient]).await, [json!({"n": 1})]);
    }
}

#[tokio::test]
async fn of_many_bookings_with_one_id_exactly_one_counts() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    for round in 1..=5 {
        let body = booking(100);
        let answers = join_all((0..WRITERS).map(|_| post(&api, &account, "charges", &body))).await;
        assert_eq!(count(&answers, 201), 1, "{answers:?}");
        assert_eq!(count(&answers, 200), WRITERS - 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.json() == answers[0].json()));
        assert_eq!(balance(&api, &account).await, 100 * round);
    }
}

#[tokio::test]
async fn of_many_accounts_exactly_one_gets_the_id() {
    let api = Ward::shared().user().await;
    let accounts = join_all((0..WRITERS).map(|_| open(&api))).await;
    let body = booking(100);
    let answers = join_all(accounts.iter().map(|id| post(&api, id, "charges", &body))).await;
    assert_eq!(count(&answers, 201), 1, "{answers:?}");
    assert_eq!(count(&answers, 409), WRITERS - 1, "{answers:?}");
    let balances = join_all(accounts.iter().map(|id| balance(&api, id))).await;
    assert_eq!(balances.iter().sum::<i64>(), 100);
}

#[tokio::test]
async fn of_many_voids_of_one_entry_exactly_one_counts() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let entry = posted(&api, &account, "charges", &booking(100)).await;
    let bodies: Vec<Value> = (0..WRITERS).map(|_| voiding(&entry)).collect();
    let answers = join_all(bodies.iter().map(|body| post(&api, &account, "voids", body))).await;
    assert_eq!(count(&answers, 201), 1, "{answers:?}");
    assert_eq!(count(&answers, 409), WRITERS - 1, "{answers:?}");
    assert_eq!(balance(&api, &account).await, 0);
}

#[tokio::test]
async fn bookings_at_once_all_count() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let bodies: Vec<Value> = (0..WRITERS).map(|_| booking(3)).collect();
    let charge = |body| post(&api, &account, "charges", body);
    let answers = join_all(bodies.iter().map(charge)).await;
    assert_eq!(count(&answers, 201), WRITERS, "{answers:?}");
    assert_eq!(balance(&api, &account).await, 3 * WRITERS as i64);
    let mut after: Vec<i64> = answers
        .iter()
        .map(|answer| answer.json()["balanceAfter"]["minorUnits"].as_i64().expect("a number"))
        .collect();
    after.sort_unstable();
    let expected: Vec<i64> = (1..=WRITERS as i64).map(|n| 3 * n).collect();
    assert_eq!(after, expected, "each saw what the one before it left");
    let statement = api.get(&format!("{ACCOUNTS}/{account}/statement")).await.json();
    let balances: Vec<&Value> = statement["entries"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|entry| &entry["balanceAfter"]["minorUnits"])
        .collect();
    let expected: Vec<Value> = expected.into_iter().map(|n| json!(n)).collect();
    assert_eq!(balances, expected.iter().collect::<Vec<_>>(), "in the order they were made");
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}
