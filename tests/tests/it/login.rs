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
    assert_eq!(body.as_object().map(|members| members.len()), Some(3), "{body}");
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
    let api = Ward::shared().api();
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
async fn unknown_paths_under_auth_do_not_exist() {
    let api = Ward::shared().api();
    for path in ["/auth", "/auth/", "/auth/nothing", "/auth/login/more"] {
        api.get(path).await.problem(404);
    }
}

#[tokio::test]
async fn an_imported_bcrypt_hash_verifies_and_is_rehashed() {
    // The hash of `password123` with cost 10, as the original system stored it.
    let hash = "$2a$10$OJZmOxZpadoHYROurYYcx.oey3AcpNsGj3aGoji5UT.oc82YjONmy";
    check_imported(hash).await;
}

#[tokio::test]
async fn an_imported_bcrypt_hash_of_prefix_2b_verifies_too() {
    let hash = "$2b$10$OJZmOxZpadoHYROurYYcx.oey3AcpNsGj3aGoji5UT.oc82YjONmy";
    check_imported(hash).await;
}

async fn check_imported(hash: &str) {
    let ward = Ward::shared();
    let database = ward.database("auth").await;
    let email = unique_email("imported");
    database
        .run(
            "INSERT INTO users (id, email, password_hash, role) \
             VALUES (gen_random_uuid(), $1, $2, 'ADMIN')",
            &[&email, &hash],
        )
        .await
        .expect("a user is imported");
    ward.api().login(&email, "wrong").await.problem(401);
    assert_eq!(ward.api().login(&email, DEMO_PASSWORD).await.status, 200);
    let query = "SELECT password_hash FROM users WHERE email = $1";
    let rows = database.rows(query, &[&email]).await;
    let rehashed = rows[0]["password_hash"].as_str().expect("a hash").to_owned();
    assert!(rehashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{rehashed}");
    assert_eq!(ward.api().login(&email, DEMO_PASSWORD).await.status, 200);
}
