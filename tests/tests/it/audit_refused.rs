//! Who is refused stands in the audit log: without a token, with a bad one, or without the scope,
//! at every door; and however many they are, they leave few rows, which add up.

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use uuid::Uuid;
use ward_tests::{Answer, Api, Grpc, Options, Repository, Ward, claims_of, wasm};

/// The services, each with a request that is refused to whoever has no scope.
const SERVICES: [(&str, &str, &str); 4] = [
    ("patients", "/api/patients?name=Smith", "patients.list"),
    ("billing", "/api/billing/accounts", "billing.list"),
    ("analytics", "/api/analytics/summary", "analytics.summary"),
    ("auth", "/auth/users", "auth.list-users"),
];
const ACCOUNTS: &str = "pms.billing.v1.Accounts/ListAccounts";
const MANY: usize = 500;

/// A ward of which each test is a client of its own address.
async fn ward() -> &'static Ward {
    static WARD: OnceCell<Ward> = OnceCell::const_new();
    WARD.get_or_init(|| async {
        let home = Ward::new_home().keep();
        let options = Options::behind_a_proxy(&home);
        tokio::task::spawn_blocking(|| Ward::start_for_good(options, home)).await.unwrap()
    })
    .await
}

/// The answer to somebody at this address, with this token or none.
async fn ask(base: &str, address: &str, token: Option<&str>, path: &str) -> Answer {
    let api = Api::new(base);
    let api = token.map_or(api.clone(), |token| api.with_token(token));
    Answer::of(api.request("GET", path).header("x-forwarded-for", address)).await
}

/// What is in the log of a service for this question.
async fn rows(ward: &Ward, service: &str, question: &str) -> Vec<Value> {
    let auditor = ward.api().with_token(&ward.forge().sign(&claims_of("AUDITOR")));
    let path = format!("/api/audit/{service}?limit=500&{question}");
    let answer = auditor.get(&path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().expect("a list").clone()
}

/// For how many the rows stand.
fn times(rows: &[Value]) -> i64 {
    rows.iter().map(|row| row["times"].as_i64().unwrap_or(1)).sum()
}

#[tokio::test]
async fn at_the_gateway_and_at_a_services_own_port() {
    let ward = ward().await;
    let mut old = claims_of("ADMIN");
    (old["iat"], old["exp"]) = (1_700_000_000.into(), 1_700_000_900.into());
    let old = ward.forge().sign(&old);
    for (service, path, operation) in SERVICES {
        for (door, base) in [("1", ward.gateway()), ("2", ward.listener(service).expect("a port"))]
        {
            for (token, outcome) in
                [(None, "NO_TOKEN"), (Some("a.b.c"), "BAD_TOKEN"), (Some(&*old), "EXPIRED_TOKEN")]
            {
                let address = format!("192.0.2.{door}");
                let answer = ask(base, &address, token, path).await;
                assert_eq!(answer.status, 401, "{answer:?}");
                let question = format!("address={address}&outcome={outcome}");
                let found = rows(ward, service, &question).await;
                let row = found.first().expect("a row before the answer");
                assert_eq!((found.len(), &row["action"]), (1, &json!("REFUSED")), "{found:?}");
                assert_eq!(row["operation"], operation, "{row}");
                assert_eq!(row["requestId"], answer.header("x-request-id"), "{row}");
                assert!(row.get("actor").is_none() && row.get("tokenId").is_none(), "{row}");
                assert!(!row.to_string().contains("Smith"), "{row}");
            }
        }
    }
}

/// What else a client writes into the head of a request decides nothing.
#[tokio::test]
async fn whatever_host_the_client_names() {
    let ward = ward().await;
    let api = Api::new(ward.gateway());
    for (number, host) in ["localhost:", "127.0.0.1:", "localhost:1"].into_iter().enumerate() {
        let address = format!("192.0.2.{}", 40 + number);
        let request = api.request("GET", "/api/patients").header("host", host);
        Answer::of(request.header("x-forwarded-for", &address)).await.problem(401);
        let found = rows(ward, "patients", &format!("address={address}")).await;
        assert_eq!(found.len(), 1, "{host}: {found:?}");
    }
}

#[tokio::test]
async fn who_may_not_is_named() {
    let ward = ward().await;
    for (service, path, operation) in SERVICES {
        let claims = claims_of("CLERK");
        let (who, token) = (claims["sub"].as_str().expect("an id"), ward.forge().sign(&claims));
        assert_eq!(ask(ward.gateway(), "192.0.2.3", Some(&token), path).await.status, 403);
        let found = rows(ward, service, &format!("user={who}")).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let row = &found[0];
        assert_eq!((&row["outcome"], &row["role"]), (&json!("FORBIDDEN"), &json!("CLERK")));
        assert_eq!((&row["operation"], &row["address"]), (&json!(operation), &json!("192.0.2.3")));
        assert_eq!(row["tokenId"], claims["jti"], "{row}");
    }
}

#[tokio::test]
async fn a_session_that_has_ended_is_named() {
    let ward = ward().await;
    let user = ward.user().await;
    let who = user.get("/auth/me").await.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(user.send("POST", "/auth/logout").await.status, 204);
    let path = "/api/patients?limit=1";
    assert_eq!(ask(ward.gateway(), "192.0.2.4", Some(user.token()), path).await.status, 401);
    let validated = ask(ward.gateway(), "192.0.2.4", Some(user.token()), "/auth/validate").await;
    assert_eq!(validated.status, 401);
    for service in ["patients", "auth"] {
        let found = rows(ward, service, &format!("user={who}&outcome=ENDED_SESSION")).await;
        assert_eq!(found.len(), 1, "{service}: {found:?}");
        assert_eq!(found[0]["address"], "192.0.2.4");
    }
}

#[tokio::test]
async fn over_grpc() {
    let ward = ward().await;
    let grpc = Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await;
    let clerk = claims_of("CLERK");
    for (token, outcome, who) in [
        (None, "NO_TOKEN", None),
        (Some("a.b.c".to_owned()), "BAD_TOKEN", None),
        (Some(ward.forge().sign(&clerk)), "FORBIDDEN", clerk["sub"].as_str()),
    ] {
        let id = Uuid::now_v7().to_string();
        let client = grpc.with("x-forwarded-for", "192.0.2.5").with("x-request-id", &id);
        let client = token.map_or(client.clone(), |token| client.with_token(&token));
        client.call(ACCOUNTS, &json!({})).await.expect_err("a refusal");
        let question = format!("address=192.0.2.5&outcome={outcome}");
        let found = rows(ward, "billing", &question).await;
        assert_eq!(found.len(), 1, "{outcome}: {found:?}");
        assert_eq!(
            (&found[0]["operation"], &found[0]["requestId"]),
            (&json!(ACCOUNTS), &json!(id))
        );
        assert_eq!(found[0]["actor"].as_str(), who, "{found:?}");
    }
}

#[tokio::test]
async fn a_flood_leaves_few_rows_that_add_up() {
    let ward = ward().await;
    let client = |number: usize| async move {
        let address = format!("2001:db8::{number:x}");
        ask(ward.gateway(), &address, Some("a.b.c"), "/api/patients").await.status
    };
    let answers: Vec<u16> = stream::iter(0..MANY).map(client).buffer_unordered(16).collect().await;
    assert_eq!(answers, vec![401; MANY]);
    let network = "address=2001:db8::/64&outcome=BAD_TOKEN";
    let found = added_up(ward, "patients", network, MANY).await;
    assert!(found.len() < 50, "few rows: {}", found.len());
    let summed = found.iter().find(|row| row.get("times").is_some()).expect("a sum");
    assert_eq!(summed["address"], "2001:db8::/64", "{summed}");
    assert!(summed.get("operation").is_none() && summed.get("requestId").is_none(), "{summed}");
    // Whoever asks for one of the addresses is told of the sum that it is in.
    let one = rows(ward, "patients", "address=2001:db8::1&outcome=BAD_TOKEN").await;
    assert!(one.iter().any(|row| row.get("times").is_some()), "{one:?}");
}

#[tokio::test]
async fn a_flood_over_grpc_adds_up_as_well() {
    let ward = ward().await;
    let grpc = Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await;
    let grpc = grpc.with("x-forwarded-for", "198.51.100.2").with_token("a.b.c");
    let call = |_| {
        let grpc = grpc.clone();
        async move { grpc.call(ACCOUNTS, &json!({})).await.is_err() }
    };
    let refused: Vec<bool> = stream::iter(0..100).map(call).buffer_unordered(8).collect().await;
    assert!(refused.into_iter().all(|refused| refused));
    let found = added_up(ward, "billing", "address=198.51.100.2&outcome=BAD_TOKEN", 100).await;
    assert!(found.len() < 50, "few rows: {}", found.len());
}

#[tokio::test]
async fn failed_logins_are_summed_up_and_so_are_those_who_have_to_wait() {
    let ward = ward().await;
    for number in 0..20 {
        let credentials = json!({"email": "nobody@example.com", "password": format!("p{number}")});
        let login = ward.api().request("POST", "/auth/login").json(&credentials);
        let answer = Answer::of(login.header("x-forwarded-for", "198.51.100.3")).await;
        assert!([401, 429].contains(&answer.status), "{answer:?}");
    }
    let question = "address=198.51.100.3&action=LOGIN";
    let found = added_up(ward, "auth", question, 20).await;
    for outcome in ["FAILURE", "TOO_MANY"] {
        assert!(found.iter().any(|row| row["outcome"] == outcome), "{outcome}: {found:?}");
    }
    let refresh = ward.api().request("POST", "/auth/refresh").json(&json!({"refreshToken": "x"}));
    let answer = Answer::of(refresh.header("x-forwarded-for", "198.51.100.3")).await;
    assert_eq!(answer.status, 401);
    let found = rows(ward, "auth", "address=198.51.100.3&action=REFRESH").await;
    assert_eq!((found.len(), &found[0]["outcome"]), (1, &json!("FAILURE")), "{found:?}");
}

#[tokio::test]
async fn nobody_else_says_that_somebody_was_refused() {
    let ward = ward().await;
    let claims = claims_of("ADMIN");
    let (who, token) = (claims["sub"].as_str().expect("an id"), ward.forge().sign(&claims));
    let request = ward.api().with_token(&token).request("GET", "/api/patients?limit=1");
    let request = request.header("ward-refused", "BAD_TOKEN").header("ward-refused-times", "7");
    let answer = Answer::of(request).await;
    assert!(answer.status == 200 && answer.json().is_array(), "{answer:?}");
    let found = rows(ward, "patients", &format!("user={who}")).await;
    assert_eq!((found.len(), &found[0]["action"]), (1, &json!("LIST")), "{found:?}");
}

#[tokio::test]
async fn who_is_refused_is_refused_even_if_that_cannot_be_written_down() {
    let ward = Ward::start(Options::demo());
    let database = ward.administrator("analytics").await;
    let rename = "ALTER FUNCTION note_refusals RENAME TO gone";
    database.run(rename, &[]).await.expect("an administrator may");
    let answer = ward.api().get("/api/analytics/summary").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let log = ward.log();
    assert!(log.contains("action=audit.refused cause=42883"), "{log}");
}

/// The host takes these headers out of what clients send, and guard does not rely on that.
#[tokio::test]
async fn nor_does_guard_believe_it_from_whatever_stands_before_it() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("spin.toml");
    let manifest = Repository::here().manifest_for_anywhere();
    let guard = "dependencies.middleware = [{ component = \"guard\"";
    let before = guard.replace("[{", "[{ component = \"tag\" }, {");
    let tag = wasm("guest_tag").display().to_string();
    let manifest =
        format!("{}\n[component.tag]\nsource = {tag:?}\n", manifest.replace(guard, &before));
    std::fs::write(&file, manifest).expect("a file");
    let ward = Ward::start(Options { from: Some(file), ..Options::demo() });
    let claims = claims_of("ADMIN");
    let (who, token) = (claims["sub"].as_str().expect("an id"), ward.forge().sign(&claims));
    let ask = async |api: Api, added: &str| {
        Answer::of(api.request("GET", "/api/patients?limit=1").header("x-tag-add", added)).await
    };
    let answer = ask(ward.api(), &format!("authorization: Bearer {token}")).await;
    assert_eq!(answer.status, 200, "something stands before guard: {answer:?}");
    let answer = ask(ward.api().with_token(&token), "ward-refused: BAD_TOKEN").await;
    assert!(answer.status == 200 && answer.json().is_array(), "{answer:?}");
    let found = rows(&ward, "patients", &format!("user={who}&action=LIST")).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(rows(&ward, "patients", "outcome=BAD_TOKEN").await.is_empty());
    tokio::task::spawn_blocking(move || drop(ward)).await.expect("a stop");
}

/// Of a flood many are counted for a while, and told of together.
#[tokio::test]
async fn what_was_counted_is_written_down_before_a_ward_stops() {
    let mut ward = Ward::start(Options::demo());
    let grpc = Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await;
    let grpc = grpc.with_token("a.b.c");
    for _ in 0..40 {
        let answer = ask(ward.gateway(), "192.0.2.1", Some("a.b.c"), "/api/patients").await;
        assert_eq!(answer.status, 401, "{answer:?}");
        grpc.call(ACCOUNTS, &json!({})).await.expect_err("no token of ours");
    }
    drop(grpc);
    assert!(ward.stop().success(), "{}", ward.log());
    ward.start_again();
    for service in ["patients", "billing"] {
        added_up(&ward, service, "outcome=BAD_TOKEN", 40).await;
    }
    tokio::task::spawn_blocking(move || drop(ward)).await.expect("a stop");
}

#[tokio::test]
async fn what_cannot_be_written_down_for_a_while_is_written_down_then() {
    let ward = Ward::start(Options::demo());
    let database = ward.administrator("patients").await;
    let rename = async |from: &str, to: &str| {
        let statement = format!("ALTER FUNCTION {from} RENAME TO {to}");
        database.run(&statement, &[]).await.expect("an administrator may");
    };
    rename("note_refusals", "gone").await;
    for _ in 0..30 {
        let answer = ask(ward.gateway(), "192.0.2.1", Some("a.b.c"), "/api/patients").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    // They are told of once a second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    rename("gone", "note_refusals").await;
    added_up(&ward, "patients", "outcome=BAD_TOKEN", 30).await;
    tokio::task::spawn_blocking(move || drop(ward)).await.expect("a stop");
}

/// The rows for this question, once they stand for so many. The minutes that counts wait for are
/// made to be over.
async fn added_up(ward: &Ward, service: &str, question: &str, expected: usize) -> Vec<Value> {
    let (database, start) = (ward.database(service).await, Instant::now());
    loop {
        let over = "UPDATE refusals SET minute = minute - interval '1 minute' \
            - random() * interval '1 day'";
        database.run(over, &[]).await.expect("the counts of a service are its own");
        let found = rows(ward, service, question).await;
        if times(&found) == i64::try_from(expected).expect("a number") {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{}: {found:?}", times(&found));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
