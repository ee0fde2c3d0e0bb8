//! Writers that meet: the database decides, one wins, the others are told in the right words.

use futures::future::join_all;
use serde_json::json;
use ward_tests::{Answer, Patient, Ward};

/// Writers at once; more than the connections of a small pool.
const WRITERS: usize = 24;

#[tokio::test]
async fn of_many_writers_of_one_email_exactly_one_creates() {
    let api = Ward::shared().user().await;
    for round in 0..5 {
        let email = Patient::unique().email;
        let body = |writer: usize| {
            let spelling =
                if writer.is_multiple_of(2) { email.clone() } else { email.to_uppercase() };
            Patient::unique().with("email", spelling)
        };
        let bodies: Vec<_> = (0..WRITERS).map(body).collect();
        let answers = join_all(bodies.iter().map(|body| api.create(body))).await;
        check(&answers, 201, 409, round);
        let found = api.search(&json!({"email": email})).await.json();
        assert_eq!(found.as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn of_many_writers_of_one_version_exactly_one_replaces() {
    let api = Ward::shared().user().await;
    for round in 0..5 {
        let created = api.create(&Patient::unique().json()).await;
        let (location, etag) = (created.header("location"), created.header("etag"));
        let replace = || {
            let request = api.request("PUT", location).header("if-match", etag);
            Answer::of(request.json(&Patient::unique().json()))
        };
        let answers = join_all((0..WRITERS).map(|_| replace())).await;
        check(&answers, 200, 412, round);
        let winner = answers.iter().find(|answer| answer.status == 200).expect("a winner");
        assert_eq!(api.get(location).await.json(), winner.json());
        assert_eq!(winner.json()["version"], 2);
    }
}

#[tokio::test]
async fn of_many_deletes_exactly_one_deletes() {
    let api = Ward::shared().user().await;
    let created = api.create(&Patient::unique().json()).await;
    let path = created.header("location");
    let answers = join_all((0..WRITERS).map(|_| api.delete(path))).await;
    check(&answers, 204, 404, 0);
}

#[tokio::test]
async fn unconditional_replaces_all_count() {
    let api = Ward::shared().user().await;
    let created = api.create(&Patient::unique().json()).await;
    let path = created.header("location");
    let bodies: Vec<_> = (0..WRITERS).map(|_| Patient::unique().json()).collect();
    let answers = join_all(bodies.iter().map(|body| api.replace(path, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(api.get(path).await.json()["version"], 1 + WRITERS);
    let database = Ward::shared().database("patients").await;
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let query = "SELECT aggregate_version FROM outbox WHERE aggregate_id = $1::text::uuid \
                 ORDER BY seq";
    let rows = database.rows(query, &[&id]).await;
    let versions: Vec<i64> =
        rows.iter().map(|row| row["aggregate_version"].as_i64().expect("a number")).collect();
    assert_eq!(versions, (1..=1 + WRITERS as i64).collect::<Vec<_>>(), "in order, none missing");
}

fn check(answers: &[Answer], winner: u16, loser: u16, round: usize) {
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(count(winner), 1, "round {round}: {statuses:?}");
    assert_eq!(count(loser), answers.len() - 1, "round {round}: {statuses:?}");
    for lost in answers.iter().filter(|answer| answer.status == loser) {
        lost.problem(loser);
    }
}
