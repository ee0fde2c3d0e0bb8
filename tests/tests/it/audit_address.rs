//! Where a request came from stands in its audit row: whichever door it took, and whoever asked on
//! its behalf; and nobody says so but the host, or a proxy that it was told to believe.

use serde_json::{Value, json};
use uuid::Uuid;
use ward_tests::{Answer, Api, Grpc, Options, Patient, Ward, claims, claims_of};

const HOME: &str = "127.0.0.1";
const ACCOUNTS: &str = "pms.billing.v1.Accounts/ListAccounts";

/// An administrator whom nobody else is, with the token.
fn somebody(ward: &Ward) -> (String, String) {
    let claims = claims();
    (claims["sub"].as_str().expect("a subject").to_owned(), ward.forge().sign(&claims))
}

fn auditor(ward: &Ward) -> Api {
    ward.api().with_token(&ward.forge().sign(&claims_of("AUDITOR")))
}

/// What is in the log for this question.
async fn rows(ward: &Ward, question: &str) -> Vec<Value> {
    let answer = auditor(ward).get(&format!("/api/audit/{question}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().expect("a list").clone()
}

fn addresses(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["address"].as_str().unwrap_or("none")).collect()
}

#[tokio::test]
async fn every_door_tells_where_a_request_came_from() {
    let ward = Ward::shared();
    let (who, token) = somebody(ward);
    let api = ward.api().with_token(&token);
    let created = api.created(&Patient::unique().json()).await;
    let id = created["id"].as_str().expect("an id");
    let own = Api::new(ward.listener("patients").expect("a port")).with_token(&token);
    own.get(&format!("/api/patients/{id}")).await;
    own.send_json("PUT", &format!("/api/patients/{id}"), &json!({})).await.problem(428);
    api.get("/api/billing/accounts?limit=1").await;
    api.get("/api/analytics/summary").await;
    api.get("/auth/sessions").await;
    let grpc = Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await;
    grpc.with_token(&token).call(ACCOUNTS, &json!({})).await.expect("accounts");
    for (service, expected) in [("patients", 2), ("billing", 3), ("analytics", 1), ("auth", 1)] {
        let found = rows(ward, &format!("{service}?user={who}")).await;
        assert_eq!(addresses(&found), vec![HOME; expected], "{service}: {found:?}");
    }
    for (network, expected) in
        [("127.0.0.1", 2), ("127.0.0.0/8", 2), ("192.0.2.0/24", 0), ("::/0", 0)]
    {
        let found = rows(ward, &format!("patients?user={who}&address={network}")).await;
        assert_eq!(found.len(), expected, "{network}: {found:?}");
    }
}

#[tokio::test]
async fn a_client_does_not_say_where_it_is() {
    let ward = Ward::shared();
    let (who, token) = somebody(ward);
    let api = ward.api().with_token(&token);
    let request = api.request("GET", "/api/patients?limit=1");
    let request = ["spin-client-addr", "forwarded", "x-forwarded-for", "ward-client-address"]
        .into_iter()
        .fold(request, |request, name| request.header(name, "192.0.2.7"));
    assert_eq!(Answer::of(request).await.status, 200);
    assert_eq!(addresses(&rows(ward, &format!("patients?user={who}")).await), [HOME]);
}

#[tokio::test]
async fn logins_have_an_address_whatever_comes_of_them() {
    let ward = Ward::shared();
    let id = Uuid::new_v4().to_string();
    let login = |password: &str| {
        let credentials = json!({"email": "testuser@test.com", "password": password});
        ward.api().request("POST", "/auth/login").header("x-request-id", &id).json(&credentials)
    };
    let granted = Answer::of(login("password123")).await;
    let (api, refresh) = ward.api().with_pair(&granted);
    assert_eq!(Answer::of(login("not-this-one")).await.status, 401);
    assert_eq!(api.refresh(&refresh).await.status, 200);
    let sql = "SELECT action, outcome, host(address) AS address FROM audit_log \
        WHERE request_id = $1 OR action = 'REFRESH' AND actor = (SELECT actor FROM audit_log \
            WHERE request_id = $1 AND outcome = 'SUCCESS') ORDER BY seq";
    let found = ward.database("auth").await.rows(sql, &[&id]).await;
    assert!(found.len() >= 3, "{found:?}");
    assert_eq!(addresses(&found), vec![HOME; found.len()], "{found:?}");
}

#[tokio::test]
async fn behind_a_proxy_it_is_whom_that_speaks_for() {
    let home = Ward::new_home();
    let ward = Ward::start(Options::behind_a_proxy(home.path()));
    let (who, token) = somebody(&ward);
    let api = ward.api().with_token(&token);
    let through = |name: &str, value: &str| {
        Answer::of(api.request("GET", "/api/patients?limit=1").header(name, value))
    };
    through("forwarded", "for=203.0.113.9, for=\"[2001:db8::7]:99\"").await;
    through("x-forwarded-for", "203.0.113.9, 192.0.2.7").await;
    let grpc = Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await;
    let grpc = grpc.with_token(&token).with("x-forwarded-for", "192.0.2.7");
    grpc.call(ACCOUNTS, &json!({})).await.expect("accounts");
    let found = rows(&ward, &format!("patients?user={who}")).await;
    assert_eq!(addresses(&found), ["192.0.2.7", "2001:db8::7"]);
    assert_eq!(addresses(&rows(&ward, &format!("billing?user={who}")).await), ["192.0.2.7"]);
}
