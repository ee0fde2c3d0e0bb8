//! `POST /auth/login`: what a person gets for the right password, and how little anyone learns
//! from a wrong one.

use serde_json::{Value, json};
use ward_tests::{Answer, DEMO_EMAIL, DEMO_PASSWORD, Ward, unique_email};

#[tokio::test]
async fn the_right_password_buys_a_token() {
    let answer = Ward::shared().api().login(DEMO_EMAIL, DEMO_PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["tokenType"], "Bearer");
    assert_eq!(body["expiresIn"], 900);
    assert_eq!(body["token"].as_str().map(|token| token.split('.').count()), Some(3));
    assert_eq!(body.as_object().map(|members| members.len()), Some(5), "{body}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_email_is_compared_without_case() {
    let answer = Ward::shared().api().login(&DEMO_EMAIL.to_uppercase(), DEMO_PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn the_password_is_compared_with_case() {
    let answer = Ward::shared().api().login(DEMO_EMAIL, &DEMO_PASSWORD.to_uppercase()).await;
    answer.problem(401);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_email_look_the_same() {
    let api = Ward::shared().api();
    let wrong = api.login(DEMO_EMAIL, "not-the-password").await;
    let unknown = api.login(&unique_email("nobody"), "not-the-password").await;
    wrong.problem(401);
    unknown.problem(401);
    assert_eq!(without_instance(&wrong), without_instance(&unknown));
    assert_eq!(header_names(&wrong), header_names(&unknown));
    assert_eq!(wrong.headers.get("content-length"), unknown.headers.get("content-length"));
}

/// The body without what is different for every request.
fn without_instance(answer: &Answer) -> Value {
    let mut body: Value = serde_json::from_str(&answer.body).expect("JSON");
    for own in ["instance", "requestId", "traceId"] {
        body.as_object_mut().expect("an object").remove(own);
    }
    body
}

fn header_names(answer: &Answer) -> Vec<String> {
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    names
}

#[tokio::test]
async fn two_logins_give_two_tokens() {
    let api = Ward::shared().api();
    let (first, second) =
        tokio::join!(api.login(DEMO_EMAIL, DEMO_PASSWORD), api.login(DEMO_EMAIL, DEMO_PASSWORD));
    assert_ne!(first.json()["token"], second.json()["token"], "jti makes tokens distinct");
}

#[tokio::test]
async fn every_missing_field_is_named() {
    let api = Ward::shared().api();
    for (body, fields) in [
        (json!({}), vec!["/email", "/password"]),
        (json!({"email": DEMO_EMAIL}), vec!["/password"]),
        (json!({"password": "x"}), vec!["/email"]),
    ] {
        let answer = api.send_json("POST", "/auth/login", &body).await;
        assert_eq!(answer.failing_fields(), fields, "{body}");
    }
}

#[tokio::test]
async fn what_is_no_login_is_refused() {
    let api = Ward::shared().api();
    for body in [
        json!([]),
        json!("text"),
        json!(null),
        json!({"email": 1, "password": "x"}),
        json!({"email": DEMO_EMAIL, "password": null}),
        json!({"email": DEMO_EMAIL, "password": DEMO_PASSWORD, "role": "ADMIN"}),
        json!({"email": DEMO_EMAIL, "password": ["a"]}),
    ] {
        api.send_json("POST", "/auth/login", &body).await.problem(400);
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let api = Ward::shared().api();
    for body in ["", "{", "{\"email\":", "\u{0}", "{\"email\": \"\\ud800\", \"password\": \"x\"}"] {
        let request = api.request("POST", "/auth/login");
        let request = request.header("content-type", "application/json").body(body);
        Answer::of(request).await.problem(400);
    }
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let api = Ward::shared().api();
    let body = json!({"email": DEMO_EMAIL, "password": DEMO_PASSWORD}).to_string();
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let request = api.request("POST", "/auth/login").header("content-type", media_type);
        Answer::of(request.body(body.clone())).await.problem(415);
    }
    Answer::of(api.request("POST", "/auth/login").body(body.clone())).await.problem(415);
    let parameter = "application/json; charset=utf-8";
    let request = api.request("POST", "/auth/login").header("content-type", parameter);
    assert_eq!(Answer::of(request.body(body)).await.status, 200);
}

#[tokio::test]
async fn other_methods_are_refused_with_those_allowed() {
    let api = Ward::shared().user().await;
    Ward::shared().api().get("/auth/login").await.problem(401);
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = api.send(method, "/auth/login").await;
        answer.problem(405);
        assert_eq!(answer.header("allow"), "POST, OPTIONS", "{method}");
    }
    let answer = api.send("OPTIONS", "/auth/login").await;
    assert_eq!((answer.status, answer.header("allow")), (204, "POST, OPTIONS"));
}

#[tokio::test]
async fn a_password_of_any_content_is_only_wrong() {
    let api = Ward::shared().api();
    for password in ["' OR '1'='1", "\u{1F511}\u{202E}", &"x".repeat(200), "a\nb\r\nc"] {
        api.login(DEMO_EMAIL, password).await.problem(401);
    }
}

#[tokio::test]
async fn unknown_paths_under_auth_do_not_exist_and_strangers_are_not_told() {
    let (stranger, user) = (Ward::shared().api(), Ward::shared().user().await);
    for path in ["/auth", "/auth/", "/auth/nothing", "/auth/login/more"] {
        stranger.get(path).await.problem(401);
        user.get(path).await.problem(404);
    }
}

#[tokio::test]
async fn an_imported_bcrypt_hash_verifies_and_is_rehashed() {
    // The hash of `password123` with cost 10, as the original system stored it.
    check_imported(PASSWORD_HASH).await;
}

#[tokio::test]
async fn an_imported_bcrypt_hash_of_prefix_2b_verifies_too() {
    let hash = "$2b$10$OJZmOxZpadoHYROurYYcx.oey3AcpNsGj3aGoji5UT.oc82YjONmy";
    check_imported(hash).await;
}

/// A user whom another system brought along; the id.
async fn imported(ward: &Ward, email: &str, hash: &str) -> String {
    let id = uuid::Uuid::new_v4().to_string();
    let insert = "INSERT INTO users (id, email, password_hash, role) \
                  VALUES ($1::text::uuid, $2, $3, 'ADMIN')";
    let database = ward.database("auth").await;
    database.run(insert, &[&id, &email, &hash]).await.expect("a user is imported");
    id
}

#[tokio::test]
async fn a_password_is_the_same_from_every_keyboard() {
    let ward = Ward::shared();
    // The argon2id hashes of `pässwörd`, composed and decomposed.
    for hash in [NFC_HASH, NFD_HASH] {
        let email = unique_email("umlaut");
        imported(ward, &email, hash).await;
        // Twice, because the first login may renew the hash.
        for _ in 0..2 {
            for password in ["p\u{e4}ssw\u{f6}rd", "pa\u{308}sswo\u{308}rd"] {
                assert_eq!(ward.api().login(&email, password).await.status, 200, "{password:?}");
            }
        }
        ward.api().login(&email, "password").await.problem(401);
    }
}

const NFC_HASH: &str = "\
    $argon2id$v=19$m=19456,t=2,p=1$\
    3jpfCyuHH7C0I8AEB4eieg$c1BT4G3XgF8vauh6yE87pR3zdHG1zDtS6V9gYIu9Dtc";
const NFD_HASH: &str = "\
    $argon2id$v=19$m=19456,t=2,p=1$\
    1gQA/fsQPUHnQ85owj3GmQ$eSZKiGjZuqHrzQkIVS0OfiWnKI1Y8gCDGTeyqgFAqdY";

/// What the table takes, login finds: names without a dot in their domain, or without a domain, and
/// of all alphabets.
#[tokio::test]
async fn a_user_of_any_name_can_log_in() {
    let ward = Ward::shared();
    let tail = unique_email("").replace(['@', '.', '-'], "");
    for name in ["admin@localhost", "admin", "müller@example.com", "info@münchen.de", "a@b.cd."] {
        let name = format!("{tail}{name}");
        ward.api().login(&name, DEMO_PASSWORD).await.problem(401);
        imported(ward, &name, PASSWORD_HASH).await;
        for written in [name.clone(), name.to_uppercase(), format!(" {name} ")] {
            let answer = ward.api().login(&written, DEMO_PASSWORD).await;
            assert_eq!(answer.status, 200, "{written}: {answer:?}");
        }
    }
}

/// bcrypt of the demo user's password.
const PASSWORD_HASH: &str = "$2a$10$OJZmOxZpadoHYROurYYcx.oey3AcpNsGj3aGoji5UT.oc82YjONmy";

#[tokio::test]
async fn a_hash_of_an_unknown_kind_is_named_to_the_operator() {
    let ward = Ward::shared();
    let email = unique_email("foreign");
    let hash = "$pbkdf2-sha256$29000$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let id = imported(ward, &email, hash).await;
    ward.api().login(&email, DEMO_PASSWORD).await.problem(401);
    let log = ward.log();
    let line = format!("cause=hash-of-unknown-kind id={id}");
    assert!(log.contains(&line), "{line}");
    assert!(!log.contains(&email), "the name is nobody's business");
}

async fn check_imported(hash: &str) {
    let ward = Ward::shared();
    let database = ward.database("auth").await;
    let email = unique_email("imported");
    imported(ward, &email, hash).await;
    ward.api().login(&email, "wrong").await.problem(401);
    assert_eq!(ward.api().login(&email, DEMO_PASSWORD).await.status, 200);
    let query = "SELECT password_hash FROM users WHERE email = $1";
    let rows = database.rows(query, &[&email]).await;
    let rehashed = rows[0]["password_hash"].as_str().expect("a hash").to_owned();
    assert!(rehashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{rehashed}");
    assert_eq!(ward.api().login(&email, DEMO_PASSWORD).await.status, 200);
}
