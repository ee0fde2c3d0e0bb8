//! Guessing passwords becomes slow for whoever guesses, and for nobody else. Each test comes from
//! addresses of its own: what is counted of one is nobody else's business.

use crate::sessions::User;
use std::time::Duration;
use uuid::Uuid;
use ward_tests::{Answer, Api, DEMO_PASSWORD, Repository, Ward, unique_email};

/// A wrong password; failures that cost nothing, and the seconds the next one has to wait.
const WRONG: &str = "not the password";
const FREE: usize = 5;

fn from(address: &str) -> Api {
    Api::from_address(Ward::shared().gateway(), address)
}

/// The seconds that a login which comes too early is told to wait.
fn wait(answer: &Answer) -> u64 {
    let problem = answer.problem(429);
    assert!(problem["type"].as_str().expect("a type").ends_with("too-many-attempts"));
    answer.header("retry-after").parse().expect("seconds")
}

async fn fail(api: &Api, email: &str, times: usize) {
    for _ in 0..times {
        api.login(email, WRONG).await.problem(401);
    }
}

#[tokio::test]
async fn each_wrong_password_makes_the_next_wait_longer_and_nobody_elsewhere() {
    let user = User::new(Ward::shared(), "NURSE").await;
    let (guesser, owner) = (from("127.1.1.1"), from("127.1.1.2"));
    fail(&guesser, &user.email, FREE + 1).await;
    // Whoever comes too early is not looked at, and does not make it worse.
    for _ in 0..5 {
        assert_eq!(wait(&guesser.login(&user.email, DEMO_PASSWORD).await), 1);
    }
    assert_eq!(owner.login(&user.email, DEMO_PASSWORD).await.status, 200);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    fail(&guesser, &user.email, 1).await;
    assert_eq!(wait(&guesser.login(&user.email, WRONG).await), 2);
    // The right one at the right time is the end of it.
    tokio::time::sleep(Duration::from_millis(2050)).await;
    assert_eq!(guesser.login(&user.email, DEMO_PASSWORD).await.status, 200);
    fail(&guesser, &user.email, FREE).await;
    assert_eq!(guesser.login(&user.email, DEMO_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_name_that_nobody_has_waits_as_others_do() {
    let user = User::new(Ward::shared(), "NURSE").await;
    let nobody = unique_email("nobody");
    let mut answers = Vec::new();
    for (address, email) in [("127.1.2.1", &user.email), ("127.1.2.2", &nobody)] {
        let api = from(address);
        fail(&api, email, FREE + 1).await;
        let mut answer = api.login(email, WRONG).await;
        assert_eq!(wait(&answer), 1);
        for own in ["x-request-id", "date"] {
            answer.headers.remove(own);
        }
        let (head, body) = (answer.headers, answer.body.split("urn:uuid:").next().map(str::len));
        answers.push((head, body));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn one_who_tries_many_names_waits_and_those_known_there_do_not() {
    let ward = Ward::shared();
    let (known, newcomer) = (User::new(ward, "NURSE").await, User::new(ward, "NURSE").await);
    let api = from("127.1.3.1");
    assert_eq!(api.login(&known.email, DEMO_PASSWORD).await.status, 200);
    for _ in 0..101 {
        fail(&api, &unique_email("guess"), 1).await;
    }
    let waiting = wait(&api.login(&newcomer.email, DEMO_PASSWORD).await);
    assert!((1..=60).contains(&waiting), "{waiting}");
    assert_eq!(api.login(&known.email, DEMO_PASSWORD).await.status, 200);
    assert_eq!(from("127.1.3.2").login(&newcomer.email, DEMO_PASSWORD).await.status, 200);
}

/// However many come at once, no more passwords are compared than the host lets in.
#[tokio::test]
async fn a_volley_of_guesses_is_mostly_sent_away() {
    let user = User::new(Ward::shared(), "NURSE").await;
    let api = from("127.1.4.1");
    let guesses = (0..60).map(|_| {
        let (api, email) = (api.clone(), user.email.clone());
        tokio::spawn(async move { api.login(&email, WRONG).await.status })
    });
    let mut compared = 0;
    for guess in guesses.collect::<Vec<_>>() {
        match guess.await.expect("an answer") {
            401 => compared += 1,
            status => assert_eq!(status, 429),
        }
    }
    assert!((FREE + 1..=FREE + 8).contains(&compared), "{compared}");
}

/// Whoever has stolen a token does not find out the password with it any faster.
#[tokio::test]
async fn the_old_password_is_guessed_no_faster_where_it_is_changed() {
    let user = User::new(Ward::shared(), "NURSE").await;
    let (api, _) = from("127.1.5.1").session(&user.email, DEMO_PASSWORD).await;
    let change = async |old: &str| {
        let document = serde_json::json!({
            "oldPassword": old, "newPassword": "four words nobody guesses",
        });
        api.send_json("PUT", "/auth/me/password", &document).await
    };
    for _ in 0..=FREE {
        assert_eq!(change(WRONG).await.failing_fields(), ["/oldPassword"]);
    }
    assert_eq!(wait(&change(DEMO_PASSWORD).await), 1);
}

#[tokio::test]
async fn no_name_and_no_address_is_kept_of_those_who_failed() {
    let ward = Ward::shared();
    let (email, api) = (unique_email("typed-a-password"), from("127.1.6.1"));
    fail(&api, &email, 1).await;
    let database = ward.database("auth").await;
    let rows = database.rows("SELECT * FROM login_attempts", &[]).await;
    let text = serde_json::to_string(&rows).expect("JSON");
    assert!(!rows.is_empty() && !text.contains("typed-a-password") && !text.contains("127.1.6.1"));
}

/// Without waiting for hours: the statement that counts, on a key of this test's own.
#[tokio::test]
async fn waits_double_up_to_a_limit_and_counts_drain_with_time() {
    let database = Ward::shared().database("auth").await;
    let count = Repository::here().read("components/auth/src/store/failed.sql");
    let key = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
    let wait = "SELECT round(extract(epoch FROM blocked_until - failed_at))::bigint AS seconds, \
                round(level)::bigint AS level FROM login_attempts WHERE key = $1";
    let fail = async || {
        database.run(&count, &[&key, &5_i64, &900_i64, &900_i64]).await.expect("a count");
        let row = database.rows(wait, &[&key]).await.remove(0);
        (row["level"].as_i64().expect("a number"), row["seconds"].as_i64())
    };
    for level in 1..=5 {
        assert_eq!(fail().await, (level, None));
    }
    for level in 6..=18 {
        assert_eq!(fail().await, (level, Some(900.min(1 << (level - 6)))));
    }
    let age = async |by: &str| {
        let update = "UPDATE login_attempts SET failed_at = failed_at - $2::text::interval \
                      WHERE key = $1";
        database.run(update, &[&key, &by]).await.expect("an update");
    };
    age("2 hours").await;
    assert_eq!(fail().await, (11, Some(32)), "eight of eighteen have drained away");
    age("1 day").await;
    assert_eq!(fail().await, (1, None));
}
