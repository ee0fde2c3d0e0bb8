//! Nothing about a patient, and no secret, in any log line or error text: unique values are sent
//! through every path that could leak them, and then looked for.

use serde_json::json;
use ward_tests::{Answer, Api, Options, Patient, Ward, claims, unique_email, unique_name};

#[tokio::test]
async fn no_secret_and_no_patient_data_in_logs_or_errors() {
    check("info").await;
}

/// Libraries below log what they are given once they are asked to: they must not be heard.
#[tokio::test]
async fn nor_at_the_most_talkative_log_level() {
    check("trace").await;
}

async fn check(level: &str) {
    let options =
        Options { environment: vec![("RUST_LOG".into(), level.into())], ..Options::demo() };
    let mut ward = Ward::start(options);
    has_its_errors_logged(&mut ward).await;
    let mut seeded = Seeded::default();
    walk_patients(&ward, &mut seeded).await;
    walk_billing(&ward, &mut seeded).await;
    walk_login(&ward, &mut seeded).await;
    walk_users(&ward, &mut seeded).await;
    seeded.add("private key", ward.forge().private_pem().lines().nth(1).expect("a line"));
    for service in ["analytics", "auth", "billing", "patients"] {
        seeded.add("database password", &ward.database_password(service));
    }
    let metrics = Api::new(ward.listener("ops").expect("it is always there"));
    let page = metrics.get("/metrics").await;
    assert!(page.body.contains("/api/patients/..."), "numbers of what was done: {page:?}");
    seeded.absent_from(&page);
    assert!(ward.stop().success(), "{}", ward.log());
    let log = ward.log();
    let database_log = ward.state().join("postgres.log");
    let database_log = std::fs::read_to_string(database_log).expect("PostgreSQL's log");
    assert!(database_log.contains(ERROR), "a log without errors proves nothing");
    for (what, value) in &seeded.values {
        let mut lines = log.lines().chain(database_log.lines());
        if let Some(line) = lines.find(|line| leaks(line, value)) {
            panic!("{what} in a log line: {line}");
        }
    }
    assert!(log.lines().count() > 20, "a ward that says nothing proves nothing: {log}");
}

/// Has PostgreSQL write its errors with their statements and values, as a server that is not ward's
/// own does.
async fn has_its_errors_logged(ward: &mut Ward) {
    let database = ward.administrator("patients").await;
    for role in ["analytics", "auth", "billing", "patients"] {
        for setting in [
            "log_min_messages = error",
            "log_min_error_statement = error",
            "log_error_verbosity = default",
        ] {
            let sql = format!("ALTER ROLE {role} SET {setting}");
            database.run(&sql, &[]).await.expect("a superuser may");
        }
    }
    drop(database);
    assert!(ward.stop().success(), "{}", ward.log());
    ward.start_again();
    let wrong = format!("SELECT '{ERROR}'::integer");
    ward.database("patients").await.run(&wrong, &[]).await.expect_err("that is no number");
}

/// What has to be in a log that has errors.
const ERROR: &str = "this-is-no-number";

/// Values that must not appear anywhere.
#[derive(Default)]
struct Seeded {
    values: Vec<(&'static str, String)>,
}

impl Seeded {
    fn add(&mut self, what: &'static str, value: &str) -> String {
        assert!(value.len() > 8, "{what} is too short to be looked for");
        self.values.push((what, value.to_owned()));
        value.to_owned()
    }

    fn absent_from(&self, answer: &Answer) {
        for (what, value) in &self.values {
            assert!(!leaks(&answer.body, value), "{what} in an error: {answer:?}");
        }
    }
}

/// Whether a text holds a value, also percent-encoded or as the unique part alone.
fn leaks(text: &str, value: &str) -> bool {
    let unique = value.split(['@', ' ']).find(|part| part.len() >= 32).unwrap_or(value);
    let unique = unique.split('-').find(|part| part.len() == 32).unwrap_or(unique);
    text.to_lowercase().contains(&unique.to_lowercase())
}

async fn walk_patients(ward: &Ward, seeded: &mut Seeded) {
    let user = ward.user().await;
    seeded.add("token", user.token().split('.').nth(2).expect("a signature"));
    let patient = Patient {
        name: seeded.add("name", &unique_name("Seed")),
        email: seeded.add("e-mail", &unique_email("seed")),
        address: seeded.add("address", &unique_name("Street")),
        ..Patient::unique()
    };
    let created = user.create(&patient.json()).await;
    assert_eq!(created.status, 201);
    let location = created.header("location").to_owned();
    user.get(&location).await;
    for (filter, value) in [("name", &patient.name), ("email", &patient.email)] {
        assert_eq!(user.search(&json!({filter: value})).await.status, 200);
        let request = user.request("GET", "/api/patients").query(&[(filter, value)]);
        let refused = Answer::of(request).await;
        seeded.absent_from(&refused);
        assert_eq!(refused.status, 400);
    }
    // A member nobody asked for is named in the answer, because that is what a pointer is for; the
    // log has no business with it.
    user.create(&patient.with(&patient.name, 1)).await.problem(400);
    let errors = failing_requests(&user, &patient, &location).await;
    for (expected, answer) in errors {
        assert_eq!(answer.status, expected, "{answer:?}");
        seeded.absent_from(&answer);
    }
    let page = user.get("/api/patients?limit=1&sort=name").await;
    user.get(&page.next_link().expect("a next page")).await;
    let twin = patient.with("email", unique_email("twin"));
    assert_eq!(user.create(&twin).await.status, 201);
    for sort in ["name", "-dateOfBirth"] {
        let search = json!({"name": patient.name, "sort": sort, "limit": 1});
        let next = user.search(&search).await.next_link().expect("a next page");
        assert!(!leaks(&next, &patient.name) && !next.contains(&patient.date_of_birth), "{next}");
    }
    assert_eq!(user.delete(&location).await.status, 204);
}

async fn failing_requests(user: &Api, patient: &Patient, location: &str) -> Vec<(u16, Answer)> {
    let long = patient.name.repeat(10);
    let other = user.create(&Patient::unique().json()).await.header("location").to_owned();
    let broken = format!("{{\"name\": \"{}\", \"email\": {}", patient.name, patient.email);
    let no_json = user.request("POST", "/api/patients").header("content-type", "application/json");
    let stale = user.request("PUT", location).header("if-match", "\"0\"").json(&patient.json());
    let odd = user.request("GET", "/api/patients").query(&[("surprise", &patient.email)]);
    let cursor = user.request("GET", "/api/patients").query(&[("after", &patient.name)]);
    vec![
        (409, user.create(&patient.json()).await),
        (409, user.replace(&other, &patient.json()).await),
        (400, user.create(&patient.with("name", long)).await),
        (400, user.create(&patient.with("email", patient.name.clone())).await),
        (400, user.create(&patient.with("dateOfBirth", patient.name.clone())).await),
        (400, user.create(&patient.with("name", json!([patient.name]))).await),
        (400, Answer::of(no_json.body(broken)).await),
        (412, Answer::of(stale).await),
        (400, Answer::of(odd).await),
        (400, Answer::of(cursor).await),
        (400, user.get(&format!("/api/patients/{}", patient.email)).await),
    ]
}

async fn walk_billing(ward: &Ward, seeded: &mut Seeded) {
    let user = ward.user().await;
    let patient = user.created(&Patient::unique().json()).await;
    let opening = json!({
        "patientId": patient["id"],
        "name": seeded.add("name", &unique_name("Seed")),
        "email": seeded.add("e-mail", &unique_email("seed")),
    });
    let opened = user.send_json("POST", "/api/billing/accounts", &opening).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let account = opened.header("content-location").to_owned();
    let charge = json!({
        "id": uuid::Uuid::new_v4().to_string(),
        "amount": {"minorUnits": 1250, "currency": "EUR"},
        "description": seeded.add("description", &unique_name("Consultation")),
    });
    let charges = format!("{account}/charges");
    assert_eq!(user.send_json("POST", &charges, &charge).await.status, 201);
    let with = |member: &str, value: serde_json::Value| {
        let mut body = charge.clone();
        body[member] = value;
        body
    };
    let long = charge["description"].as_str().expect("a text").repeat(9);
    let mut unnamed = opening.clone();
    unnamed["name"] = json!(opening["name"].as_str().expect("a text").repeat(9));
    for (expected, path, body) in [
        (409, charges.as_str(), with("amount", json!({"minorUnits": 1, "currency": "EUR"}))),
        (400, charges.as_str(), with("description", json!(long))),
        (400, charges.as_str(), with("id", charge["description"].clone())),
        (400, "/api/billing/accounts", unnamed),
    ] {
        let answer = user.send_json("POST", path, &body).await;
        assert_eq!(answer.status, expected, "{answer:?}");
        seeded.absent_from(&answer);
    }
    assert_eq!(user.get(&format!("{account}/statement")).await.status, 200);
}

async fn walk_login(ward: &Ward, seeded: &mut Seeded) {
    let email = seeded.add("login e-mail", &unique_email("login"));
    let password = seeded.add("password", &unique_name("secret").replace(' ', ""));
    let api = ward.api();
    let answer = api.login(&email, &password).await;
    answer.problem(401);
    seeded.absent_from(&answer);
    let answer = api.login(ward_tests::DEMO_EMAIL, &password).await;
    answer.problem(401);
    seeded.absent_from(&answer);
    let body = json!({"email": email, "password": [password]});
    let answer = api.send_json("POST", "/auth/login", &body).await;
    answer.problem(400);
    seeded.absent_from(&answer);
    let mut expired = claims();
    expired["exp"] = 1.into();
    let token = ward.forge().sign(&expired);
    seeded.add("expired token", token.split('.').nth(2).expect("a signature"));
    let answer = api.with_token(&token).get("/api/patients").await;
    answer.problem(401);
    seeded.absent_from(&answer);
}

async fn walk_users(ward: &Ward, seeded: &mut Seeded) {
    let email = seeded.add("user's e-mail", &unique_email("user"));
    let name = seeded.add("user's name", &unique_name("Nils"));
    let password = seeded.add("user's password", &unique_name("secret"));
    let next = seeded.add("next password", &unique_name("secret"));
    let admin = ward.user().await;
    let user = json!({"email": email, "name": name, "role": "NURSE", "password": password});
    let made = admin.send_json("POST", "/auth/users", &user).await;
    assert_eq!(made.status, 201, "{made:?}");
    let taken = admin.send_json("POST", "/auth/users", &user).await;
    taken.problem(409);
    seeded.absent_from(&taken);
    let (nurse, refresh) = ward.api().session(&email, &password).await;
    let refresh = seeded.add("refresh token", &refresh);
    seeded.add("access token", nurse.token().split('.').nth(2).expect("a signature"));
    for (old, new) in [(&next, &next), (&password, &email)] {
        let document = json!({"oldPassword": old, "newPassword": new});
        let answer = nurse.send_json("PUT", "/auth/me/password", &document).await;
        answer.problem(400);
        seeded.absent_from(&answer);
    }
    let document = json!({"oldPassword": password, "newPassword": next});
    assert_eq!(nurse.send_json("PUT", "/auth/me/password", &document).await.status, 204);
    let (_, newest) = ward.api().with_pair(&ward.api().refresh(&refresh).await);
    seeded.add("newest refresh token", &newest);
    let raced = ward.api().refresh(&refresh).await;
    raced.problem(409);
    seeded.absent_from(&raced);
    let found = admin.get(&format!("/auth/users?email={email}&role=nurse")).await;
    found.problem(400);
    seeded.absent_from(&found);
    assert_eq!(nurse.send("POST", "/auth/logout").await.status, 204);
    let over = ward.api().refresh(&newest).await;
    over.problem(401);
    seeded.absent_from(&over);
}
