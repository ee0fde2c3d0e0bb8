//! Every token that nobody may get in with, at every door: auth itself, guard at the gateway and at
//! a service's own port, and gRPC. All are refused in one shape: an attacker learns nothing of what
//! was wrong, but for the time of a token that was issued here.

use crate::sessions::User;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tonic::Code;
use ward_tests::{Api, Forge, Grpc, Ward, claims};

/// What is tried, and its name.
type Case = (String, String);

/// The claims of a good token with one set, or taken away where `value` is null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().expect("an object");
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value);
    }
    claims
}

fn headers(forge: &Forge, cases: &mut Vec<Case>) {
    let kid = forge.kid();
    for (member, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("nOnE")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("ES256")),
        ("alg", Value::Null),
        ("typ", json!("refresh+jwt")),
        ("typ", Value::Null),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("' UNION SELECT 'key")),
        ("kid", json!("http://127.0.0.1:9/keys")),
        ("kid", json!([kid])),
        ("kid", Value::Null),
        ("jku", json!("http://127.0.0.1:9/keys")),
        ("x5u", json!("http://127.0.0.1:9/key")),
        ("x5c", json!([])),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})),
        ("crit", json!(["exp"])),
        ("zip", json!("DEF")),
    ] {
        let header = forge.header_with(member, value.clone());
        cases.push((format!("{member} {value}"), forge.sign_with_header(&header, &claims())));
    }
    let twice = format!(r#"{{"alg":"none","alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#);
    cases.push(("alg twice".into(), forge.sign_texts(&twice, &claims().to_string())));
}

fn keys(forge: &Forge, cases: &mut Vec<Case>) {
    for alg in ["none", "None", "EdDSA", ""] {
        cases.push((format!("unsigned {alg}"), forge.unsigned(alg, &claims())));
    }
    cases.push(("HS256".into(), forge.sign_hs256_with_public_key(&claims())));
    let stranger = Forge::new();
    cases.push(("a stranger's key".into(), stranger.sign(&claims())));
    let ours = stranger.header_with("kid", json!(forge.kid()));
    let named = stranger.sign_with_header(&ours, &claims());
    cases.push(("a stranger's key by the name of ours".into(), named));
    let good = forge.sign(&claims());
    let (content, _) = good.rsplit_once('.').expect("three parts");
    let zeros = "A".repeat(86);
    cases.push(("a signature of zeros".into(), format!("{content}.{zeros}")));
    cases.push(("no signature".into(), format!("{content}.")));
    cases.push(("four parts".into(), format!("{good}.x")));
}

fn claims_of_all_kinds(forge: &Forge, cases: &mut Vec<Case>) {
    let now = claims()["iat"].as_u64().expect("a time");
    for (name, value) in [
        ("iss", json!("https://elsewhere.example")),
        ("iss", Value::Null),
        ("aud", json!("elsewhere")),
        ("aud", Value::Null),
        ("sub", json!("root")),
        ("role", json!("admin")),
        ("role", Value::Null),
        ("sid", json!("x")),
        ("sid", Value::Null),
        ("jti", Value::Null),
        ("scope", json!(["patient.read"])),
        ("scope", Value::Null),
        ("exp", json!((now + 600).to_string())),
        ("exp", json!(-1)),
        ("exp", json!(now as f64 + 600.5)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(now + 3600)),
        ("exp", Value::Null),
        ("nbf", json!("0")),
        // Longer than any token that is looked at, and short enough for every head.
        ("padding", json!("x".repeat(7 * 1024))),
    ] {
        let name_of = format!("{name} {}", value.to_string().get(..40).unwrap_or("…"));
        cases.push((name_of, forge.sign(&with(name, value))));
    }
    for name in ["sub", "role", "exp", "sid"] {
        let text = claims().to_string();
        let twice = format!("{{\"{name}\":{},{}", claims()[name], &text[1..]);
        let header = forge.header().to_string();
        cases.push((format!("{name} twice"), forge.sign_texts(&header, &twice)));
    }
}

/// Tokens of ours whose time is not now, which may be said.
fn times(forge: &Forge, cases: &mut Vec<Case>) {
    let now = claims()["iat"].as_u64().expect("a time");
    for (name, from, to) in
        [("expired", now - 900, now - 60), ("issued in the future", now + 60, now + 900)]
    {
        let mut claims = claims();
        (claims["iat"], claims["exp"]) = (json!(from), json!(to));
        cases.push((name.to_owned(), forge.sign(&claims)));
    }
    cases.push(("not yet valid".into(), forge.sign(&with("nbf", json!(now + 60)))));
}

/// Every door that a token opens.
struct Doors {
    http: Vec<(Api, &'static str)>,
    grpc: Grpc,
}

impl Doors {
    async fn of(ward: &Ward) -> Doors {
        let own = Api::new(ward.listener("patients").expect("a port of its own"));
        let http = vec![
            (ward.api(), "/auth/validate"),
            (ward.api(), "/auth/me"),
            (ward.api(), "/api/patients?limit=1"),
            (own, "/api/patients?limit=1"),
        ];
        Doors { http, grpc: Grpc::connect(ward.listener("grpc").expect("gRPC")).await }
    }

    /// What each says to a token, without what is different for every request.
    async fn refused(&self, case: &Case) -> BTreeSet<String> {
        let said = self.refused_over_http(case).await;
        let (name, token) = case;
        let method = "pms.billing.v1.Accounts/ListAccounts";
        let called = self.grpc.with_token(token).call(method, &json!({})).await;
        assert_eq!(called.expect_err(name).code(), Code::Unauthenticated, "{name}");
        said
    }

    async fn refused_over_http(&self, (name, token): &Case) -> BTreeSet<String> {
        let mut said = BTreeSet::new();
        for (api, path) in &self.http {
            let answer = api.with_token(token).get(path).await;
            assert_eq!(answer.status, 401, "{name} at {path}: {answer:?}");
            let mut problem = answer.problem(401);
            problem.as_object_mut().expect("an object").remove("instance");
            said.insert(format!("{} {problem}", answer.header("www-authenticate")));
        }
        said
    }
}

#[tokio::test]
async fn no_hostile_token_opens_any_door_and_all_are_refused_alike() {
    let ward = Ward::shared();
    let (forge, doors) = (ward.forge(), Doors::of(ward).await);
    let mut cases = Vec::new();
    headers(forge, &mut cases);
    keys(forge, &mut cases);
    claims_of_all_kinds(forge, &mut cases);
    let (api, refresh) = User::new(ward, "ADMIN").await.session(ward).await;
    cases.push(("a refresh token".into(), refresh));
    assert_eq!(api.send("POST", "/auth/logout").await.status, 204);
    // A second ward, and a listener of this one, may take a second to know.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    cases.push(("a session that has ended".into(), api.token().to_owned()));
    let mut said = BTreeSet::new();
    for case in &cases {
        said.extend(doors.refused(case).await);
    }
    // As long as a head can be over HTTP, with what else is in one.
    let long = forge.sign(&with("padding", json!("x".repeat(46 * 1024))));
    assert!(long.len() > 60 * 1024);
    said.extend(doors.refused_over_http(&("60 KiB".to_owned(), long)).await);
    assert_eq!(said.len(), 1, "{said:#?}");
    let mut late = Vec::new();
    times(forge, &mut late);
    for case in &late {
        assert_eq!(doors.refused(case).await.len(), 1, "{}", case.0);
    }
}

#[tokio::test]
async fn the_token_that_the_others_were_made_of_is_good() {
    let ward = Ward::shared();
    let (token, doors) = (ward.forge().sign(&claims()), Doors::of(ward).await);
    for (api, path) in &doors.http {
        // Of whom there is no user, there is none to show.
        let expected = if *path == "/auth/me" { 404 } else { 200 };
        assert_eq!(api.with_token(&token).get(path).await.status, expected, "{path}");
    }
    let method = "pms.billing.v1.Accounts/ListAccounts";
    doors.grpc.with_token(&token).call(method, &json!({})).await.expect("a list");
}
