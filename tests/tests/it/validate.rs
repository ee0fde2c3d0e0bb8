//! `GET /auth/validate`, and every kind of token that must not pass it: since the tests sign with
//! ward's own key pair, only the rule under test is broken in each.

use serde_json::{Value, json};
use ward_tests::{Answer, Forge, Ward, claims};

#[tokio::test]
async fn a_good_token_is_described() {
    let api = Ward::shared().user().await;
    let answer = api.get("/auth/validate").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["role"], "ADMIN");
    assert!(body.to_string().contains("sub"), "{body}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_token_signed_with_the_trusted_key_passes_everywhere() {
    let ward = Ward::shared();
    let api = ward.api().with_token(&ward.forge().sign(&claims()));
    assert_eq!(api.get("/auth/validate").await.status, 200);
    assert_eq!(api.get("/api/patients?limit=1").await.status, 200);
}

#[tokio::test]
async fn no_token_is_401_with_a_challenge() {
    for path in ["/auth/validate", "/api/patients"] {
        let answer = Ward::shared().api().get(path).await;
        answer.problem(401);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
    }
}

#[tokio::test]
async fn other_schemes_and_shapes_of_authorization_are_401() {
    let ward = Ward::shared();
    let good = ward.forge().sign(&claims());
    for value in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        "Basic dGVzdDp0ZXN0".into(),
        good.clone(),
        format!("Token {good}"),
        format!("Bearer {good} more"),
        format!("Bearer {good}.x"),
        "Bearer a.b.c".into(),
        "Bearer ..".into(),
        format!("Bearer {}", "x".repeat(4000)),
    ] {
        refused("shape", |path| {
            ward.api().request("GET", path).header("authorization", value.as_str())
        })
        .await;
    }
}

#[tokio::test]
async fn the_scheme_is_read_without_case() {
    let ward = Ward::shared();
    let value = format!("bearer {}", ward.forge().sign(&claims()));
    let request = ward.api().request("GET", "/api/patients?limit=1");
    assert_eq!(Answer::of(request.header("authorization", value)).await.status, 200);
}

#[tokio::test]
async fn broken_claims_are_401() {
    let now = claims()["iat"].as_u64().expect("a time");
    for (member, value) in [
        ("exp", json!(now - 3600)),
        ("exp", json!(now - 1)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!("never")),
        ("exp", Value::Null),
        ("iat", json!(now + 3600)),
        ("nbf", json!(now + 3600)),
        ("iss", json!("https://elsewhere.example")),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", Value::Null),
        ("sub", json!("not-a-uuid")),
        ("sub", Value::Null),
        ("sid", json!("not-a-uuid")),
        ("sid", Value::Null),
        ("scope", json!(["patient.read"])),
        ("scope", Value::Null),
        ("role", Value::Null),
        ("role", json!(["ADMIN"])),
        ("role", json!("ADMIN\r\nward-user-id: x")),
    ] {
        let mut broken = claims();
        match &value {
            Value::Null => broken.as_object_mut().expect("an object").remove(member),
            _ => broken.as_object_mut().expect("an object").insert(member.into(), value.clone()),
        };
        let token = Ward::shared().forge().sign(&broken);
        token_refused(&format!("{member} {value}"), &token).await;
    }
}

#[tokio::test]
async fn an_audience_list_that_names_ward_passes() {
    let mut listed = claims();
    listed["aud"] = json!(["other", "ward"]);
    let ward = Ward::shared();
    let api = ward.api().with_token(&ward.forge().sign(&listed));
    assert_eq!(api.get("/api/patients?limit=1").await.status, 200);
}

#[tokio::test]
async fn clocks_may_differ_a_little_and_are_named_beyond() {
    let ward = Ward::shared();
    let shifted = |seconds: i64| {
        let mut claims = claims();
        for member in ["iat", "exp"] {
            let at = claims[member].as_i64().expect("a time");
            claims[member] = (at + seconds).into();
        }
        ward.forge().sign(&claims)
    };
    let life = claims()["exp"].as_i64().expect("a time") - claims()["iat"].as_i64().expect("one");
    for path in ["/auth/validate", "/api/patients?limit=1"] {
        let ask = async |seconds: i64| {
            Answer::of(ward.api().request("GET", path).bearer_auth(shifted(seconds))).await
        };
        for seconds in [8, -life - 3] {
            assert_eq!(ask(seconds).await.status, 200, "{path} {seconds}");
        }
        for (seconds, words) in [(60, "clocks"), (-life - 60, "has expired")] {
            let answer = ask(seconds).await;
            answer.problem(401);
            let challenge = answer.header("www-authenticate");
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
            assert!(challenge.contains("error_description=") && challenge.contains(words));
        }
    }
    let log = ward.log();
    assert!(log.contains("cause=clock-behind-the-token-issuers"), "{log}");
}

#[tokio::test]
async fn unsigned_tokens_are_401() {
    for alg in ["none", "None", "nOnE", "NONE", ""] {
        token_refused(alg, &Ward::shared().forge().unsigned(alg, &claims())).await;
    }
}

#[tokio::test]
async fn the_token_does_not_choose_the_algorithm() {
    let forge = Ward::shared().forge();
    token_refused("HS256", &forge.sign_hs256_with_public_key(&claims())).await;
    for alg in [json!("none"), json!("HS256"), json!("RS256"), json!(["EdDSA"]), Value::Null] {
        let header = forge.header_with("alg", alg);
        let token = forge.sign_with_header(&header, &claims());
        token_refused(&header.to_string(), &token).await;
    }
}

#[tokio::test]
async fn a_key_named_or_carried_by_the_token_is_not_used() {
    let (ours, stranger) = (Ward::shared().forge(), Forge::new());
    for header in [
        stranger.header(),
        stranger.header_with("kid", Value::Null),
        stranger.header_with("kid", json!(ours.kid())),
        stranger.header_with("kid", json!("../../dev/null")),
        stranger.header_with("kid", json!("' OR '1'='1")),
        stranger.header_with("jku", json!("http://127.0.0.1:9/keys")),
        stranger.header_with("x5u", json!("http://127.0.0.1:9/key")),
        stranger.header_with("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})),
    ] {
        let token = stranger.sign_with_header(&header, &claims());
        token_refused(&header.to_string(), &token).await;
    }
}

#[tokio::test]
async fn a_changed_token_is_401() {
    let token = Ward::shared().forge().sign(&claims());
    let parts: Vec<&str> = token.split('.').collect();
    let other = Ward::shared().forge().sign(&claims());
    let stolen = other.split('.').nth(2).expect("a signature");
    token_refused("signature of another", &format!("{}.{}.{stolen}", parts[0], parts[1])).await;
    token_refused("no signature", &format!("{}.{}.", parts[0], parts[1])).await;
    token_refused("two parts", &format!("{}.{}", parts[0], parts[1])).await;
    token_refused("zeros", &format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86))).await;
    let cut = &token[..token.len() - 2];
    token_refused("cut short", cut).await;
}

#[tokio::test]
async fn other_methods_are_refused_with_those_allowed() {
    let api = Ward::shared().user().await;
    for method in ["POST", "PUT", "DELETE"] {
        let answer = api.send(method, "/auth/validate").await;
        answer.problem(405);
        assert!(answer.header("allow").contains("GET"), "{answer:?}");
    }
}

/// A token is refused at both places that verify tokens: auth itself and the guard.
async fn token_refused(what: &str, token: &str) {
    let api = Ward::shared().api();
    refused(what, |path| api.request("GET", path).bearer_auth(token)).await;
}

async fn refused(what: &str, request: impl Fn(&str) -> reqwest::RequestBuilder) {
    for path in ["/auth/validate", "/api/patients"] {
        let answer = Answer::of(request(path)).await;
        assert_eq!(answer.status, 401, "{what} at {path}: {answer:?}");
        answer.problem(401);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer"), "{what} at {path}: {challenge}");
    }
}
