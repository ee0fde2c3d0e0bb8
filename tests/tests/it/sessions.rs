//! Sessions: what a login begins, refreshes keep going, and a logout ends for good.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use ward_tests::{Api, DEMO_EMAIL, DEMO_PASSWORD, Database, Ward, unique_email};

/// A user of their own, whose sessions are nobody else's business.
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: String,
}

impl User {
    /// A user of this role with the demo user's password.
    pub(crate) async fn new(ward: &Ward, role: &str) -> User {
        let (id, email) = (uuid::Uuid::new_v4().to_string(), unique_email("user"));
        let insert = "INSERT INTO users (id, email, name, password_hash, role) \
                      SELECT $1::text::uuid, $2, 'Some User', password_hash, $3 \
                      FROM users WHERE email = $4";
        let database = ward.database("auth").await;
        database.run(insert, &[&id, &email, &role, &DEMO_EMAIL]).await.expect("a user");
        User { id, email }
    }

    /// A client with an access token of theirs, and the refresh token that came with it.
    pub(crate) async fn session(&self, ward: &Ward) -> (Api, String) {
        ward.api().session(&self.email, DEMO_PASSWORD).await
    }
}

async fn is_good(api: &Api) -> bool {
    match api.get("/auth/validate").await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

fn session_of(api: &Api) -> String {
    ward_tests::claims_in(api.token())["sid"].as_str().expect("a session").to_owned()
}

/// Moves a session's times into the past.
async fn age(database: &Database, api: &Api, columns: &[&str], by: &str) {
    let set = columns.iter().map(|column| format!("{column} = {column} - interval '{by}'"));
    let set = set.collect::<Vec<_>>().join(", ");
    let update = format!("UPDATE sessions SET {set} WHERE id = $1::text::uuid");
    assert_eq!(database.run(&update, &[&session_of(api)]).await, Ok(1));
}

#[tokio::test]
async fn a_refresh_replaces_both_tokens_and_keeps_the_session() {
    let ward = Ward::shared();
    let (first, refresh) = User::new(ward, "NURSE").await.session(ward).await;
    let answer = ward.api().refresh(&refresh).await;
    let (second, next) = ward.api().with_pair(&answer);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["refreshExpiresIn"], 3600);
    assert!(next != refresh && second.token() != first.token());
    assert_eq!(session_of(&second), session_of(&first));
    let (before, after) =
        (ward_tests::claims_in(first.token()), ward_tests::claims_in(second.token()));
    assert_eq!((&before["sub"], &before["role"]), (&after["sub"], &after["role"]));
    assert_ne!(before["jti"], after["jti"]);
    assert!(is_good(&first).await && is_good(&second).await);
}

#[tokio::test]
async fn reuse_of_an_old_token_ends_the_session_for_thief_and_owner() {
    let ward = Ward::shared();
    let (api, first) = User::new(ward, "NURSE").await.session(ward).await;
    let (_, second) = ward.api().with_pair(&ward.api().refresh(&first).await);
    let (newest, third) = ward.api().with_pair(&ward.api().refresh(&second).await);
    ward.api().refresh(&first).await.problem(401);
    // Nothing of it is good any more: not the newest token, not what it gave out before.
    ward.api().refresh(&third).await.problem(401);
    assert!(!is_good(&api).await && !is_good(&newest).await);
}

#[tokio::test]
async fn the_token_before_the_newest_is_a_race_for_a_moment_and_reuse_after() {
    let ward = Ward::shared();
    let (api, first) = User::new(ward, "NURSE").await.session(ward).await;
    let (_, second) = ward.api().with_pair(&ward.api().refresh(&first).await);
    let raced = ward.api().refresh(&first).await;
    assert!(raced.problem(409)["type"].as_str().expect("a type").ends_with("refresh-raced"));
    let (_, third) = ward.api().with_pair(&ward.api().refresh(&second).await);
    age(&ward.database("auth").await, &api, &["refreshed_at"], "11 seconds").await;
    ward.api().refresh(&second).await.problem(401);
    ward.api().refresh(&third).await.problem(401);
}

#[tokio::test]
async fn of_a_hundred_refreshes_at_once_one_wins_and_the_session_lives() {
    let ward = Ward::shared();
    let (_, refresh) = User::new(ward, "NURSE").await.session(ward).await;
    let asking = (0..100).map(|_| {
        let (api, refresh) = (ward.api(), refresh.clone());
        tokio::spawn(async move { api.refresh(&refresh).await })
    });
    let mut statuses = BTreeMap::new();
    let mut won = None;
    for answer in asking.collect::<Vec<_>>() {
        let answer = answer.await.expect("an answer");
        *statuses.entry(answer.status).or_insert(0) += 1;
        won = won.or_else(|| (answer.status == 200).then_some(answer));
    }
    assert_eq!(statuses, BTreeMap::from([(200, 1), (409, 99)]));
    let (api, next) = ward.api().with_pair(&won.expect("a winner"));
    assert!(is_good(&api).await);
    assert_eq!(ward.api().refresh(&next).await.status, 200);
}

#[tokio::test]
async fn a_session_ends_when_nobody_refreshes_it_and_after_a_shift() {
    let ward = Ward::shared();
    let database = ward.database("auth").await;
    let user = User::new(ward, "NURSE").await;
    let (idle, token) = user.session(ward).await;
    age(&database, &idle, &["refresh_until"], "3601 seconds").await;
    ward.api().refresh(&token).await.problem(401);
    // Refreshed within the last hour of a shift, it is good for what is left of that.
    let (late, token) = user.session(ward).await;
    age(&database, &late, &["expires_at"], "11 hours 30 minutes").await;
    let answer = ward.api().refresh(&token).await;
    let left = answer.json()["refreshExpiresIn"].as_i64().expect("seconds");
    assert!((1795..=1800).contains(&left), "{left}");
    // Both ended by themselves: what they gave out is good until its own end.
    assert!(is_good(&idle).await && is_good(&late).await);
}

#[tokio::test]
async fn a_logout_ends_the_session_at_once_and_no_other() {
    let ward = Ward::shared();
    let user = User::new(ward, "NURSE").await;
    let ((first, refresh), (second, _)) = (user.session(ward).await, user.session(ward).await);
    let answer = first.send("POST", "/auth/logout").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("clear-site-data"), r#""cache", "storage""#);
    assert!(!is_good(&first).await);
    ward.api().refresh(&refresh).await.problem(401);
    assert!(is_good(&second).await);
    ward.api().send("POST", "/auth/logout").await.problem(401);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner() {
    let ward = Ward::shared();
    let user = User::new(ward, "NURSE").await;
    let ((phone, _), (desk, _)) = (user.session(ward).await, user.session(ward).await);
    let answer = desk.get("/auth/sessions").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let sessions = answer.json();
    let ids: Vec<&str> = sessions.as_array().expect("a list").iter().map(id).collect();
    assert_eq!(ids, [session_of(&desk), session_of(&phone)], "the newest first");
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    let (stranger, _) = User::new(ward, "ADMIN").await.session(ward).await;
    let path = format!("/auth/sessions/{}", session_of(&phone));
    stranger.send("DELETE", &path).await.problem(404);
    assert!(is_good(&phone).await);
    // Twice: whoever asks again is told the same.
    for _ in 0..2 {
        let answer = desk.send("DELETE", &path).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert!(!answer.headers.contains_key("clear-site-data"), "another's: {answer:?}");
    }
    assert!(!is_good(&phone).await && is_good(&desk).await);
    let left = desk.get("/auth/sessions").await.json();
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    desk.send("DELETE", &format!("/auth/sessions/{}", uuid::Uuid::new_v4())).await.problem(404);
    // One's own is a logout.
    let answer = desk.send("DELETE", &format!("/auth/sessions/{}", session_of(&desk))).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(answer.header("clear-site-data"), r#""cache", "storage""#);
    assert!(!is_good(&desk).await);
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

#[tokio::test]
async fn whoever_disables_a_user_or_changes_the_role_has_ended_the_sessions() {
    let ward = Ward::shared();
    let database = ward.database("auth").await;
    for change in ["disabled = true", "role = 'DOCTOR'"] {
        let user = User::new(ward, "NURSE").await;
        let (api, refresh) = user.session(ward).await;
        // By hand, as an operator might: no component has a part in it.
        let update = format!("UPDATE users SET {change} WHERE id = $1::text::uuid");
        database.run(&update, &[&user.id]).await.expect("a change");
        // Refused here, and announced by that.
        ward.api().refresh(&refresh).await.problem(401);
        assert!(!is_good(&api).await, "{change}");
    }
}

#[tokio::test]
async fn what_was_not_announced_is_announced_by_whoever_comes_next() {
    let ward = Ward::shared();
    let (api, _) = User::new(ward, "NURSE").await.session(ward).await;
    let end = "UPDATE sessions SET ended_at = now(), end_reason = 'ENDED' \
               WHERE id = $1::text::uuid";
    let database = ward.database("auth").await;
    database.run(end, &[&session_of(&api)]).await.expect("an end");
    assert!(is_good(&api).await, "nobody has been told yet");
    ward.api().logged_in().await;
    assert!(!is_good(&api).await);
    let rows = database
        .rows("SELECT announced FROM sessions WHERE id = $1::text::uuid", &[&session_of(&api)])
        .await;
    assert_eq!(rows[0]["announced"], true);
}

#[tokio::test]
async fn what_is_over_is_removed_by_whoever_comes_next() {
    let ward = Ward::shared();
    let database = ward.database("auth").await;
    let user = User::new(ward, "NURSE").await;
    let ((idle, refresh), (ended, _)) = (user.session(ward).await, user.session(ward).await);
    ward.api().refresh(&refresh).await;
    ended.send("POST", "/auth/logout").await;
    for api in [&idle, &ended] {
        age(&database, api, &["access_until", "refresh_until"], "2 hours").await;
    }
    let count = "SELECT count(*) FROM sessions WHERE user_id = $1::text::uuid";
    // Others' may be removed before, of which there are so many that it takes several.
    for _ in 0..50 {
        ward.api().logged_in().await;
        if database.rows(count, &[&user.id]).await[0]["count"] == 0 {
            return;
        }
    }
    panic!("sessions that are over are still there");
}

/// Logins and refreshes while the user is being disabled: whatever they got is good for nothing in
/// the end.
#[tokio::test]
async fn no_session_survives_that_its_user_is_disabled() {
    let ward = Ward::shared();
    let database = ward.database("auth").await;
    for round in 0..4 {
        let user = User::new(ward, "NURSE").await;
        let (first, refresh) = user.session(ward).await;
        let logins = (0..4).map(|_| {
            let (api, email) = (ward.api(), user.email.clone());
            tokio::spawn(async move { api.login(&email, DEMO_PASSWORD).await })
        });
        let logins: Vec<_> = logins.collect();
        let refreshing = {
            let api = ward.api();
            tokio::spawn(async move { api.refresh(&refresh).await })
        };
        tokio::time::sleep(std::time::Duration::from_millis(15 * round)).await;
        let disable = "UPDATE users SET disabled = true WHERE id = $1::text::uuid";
        database.run(disable, &[&user.id]).await.expect("a change");
        let mut got = vec![first.token().to_owned()];
        for answer in logins.into_iter().chain([refreshing]) {
            let answer = answer.await.expect("an answer");
            assert!([200, 401].contains(&answer.status), "{answer:?}");
            if answer.status == 200 {
                got.push(answer.json()["token"].as_str().expect("a token").to_owned());
            }
        }
        let alive = "SELECT id FROM sessions WHERE user_id = $1::text::uuid AND ended_at IS NULL";
        assert_eq!(database.rows(alive, &[&user.id]).await, Vec::<Value>::new());
        ward.api().logged_in().await;
        for token in got {
            assert!(!is_good(&ward.api().with_token(&token)).await);
        }
        ward.api().login(&user.email, DEMO_PASSWORD).await.problem(401);
    }
}

#[tokio::test]
async fn refresh_tokens_are_kept_as_hashes_only() {
    let ward = Ward::shared();
    let (api, first) = User::new(ward, "NURSE").await.session(ward).await;
    let (_, second) = ward.api().with_pair(&ward.api().refresh(&first).await);
    let database = ward.database("auth").await;
    let row = "SELECT s.*, t.* FROM sessions s JOIN spent_tokens t ON t.session_id = s.id \
               WHERE s.id = $1::text::uuid";
    let rows = database.rows(row, &[&session_of(&api)]).await;
    let text = serde_json::to_string(&rows).expect("JSON");
    assert_eq!(rows.len(), 1, "{text}");
    for token in [first, second] {
        assert!(!text.contains(&token), "{text}");
    }
}

#[tokio::test]
async fn a_token_of_one_kind_is_none_of_the_other() {
    let ward = Ward::shared();
    let (api, refresh) = ward.api().session(DEMO_EMAIL, DEMO_PASSWORD).await;
    ward.api().refresh(api.token()).await.problem(401);
    assert!(!is_good(&ward.api().with_token(&refresh)).await);
    ward.api().with_token(&refresh).get("/api/patients?limit=1").await.problem(401);
}

#[tokio::test]
async fn tokens_that_nobody_gave_out_are_refused_alike() {
    let ward = Ward::shared();
    let (_, refresh) = User::new(ward, "NURSE").await.session(ward).await;
    let mut changed = refresh.clone();
    changed.replace_range(..1, if refresh.starts_with('A') { "B" } else { "A" });
    for token in [changed.as_str(), "x", "' OR '1'='1", &"x".repeat(2048)] {
        let problem = ward.api().refresh(token).await.problem(401);
        assert!(problem["type"].as_str().expect("a type").ends_with("refresh-refused"));
    }
    for body in [json!({}), json!({"refreshToken": 1}), json!({"refreshToken": refresh, "x": 1})] {
        ward.api().send_json("POST", "/auth/refresh", &body).await.problem(400);
    }
}
