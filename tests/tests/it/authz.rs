//! Every operation refuses callers it cannot name, whatever they do to be taken for somebody else.
//! What roles may is in `roles.rs`.

use ward_tests::roles::table;
use ward_tests::{Answer, Api, Forge, Ward, claims};

/// What a stranger is not even told the absence of: which paths and which methods there are.
const NOTHING: [(&str, &str); 7] = [
    ("GET", "/api/patients/not-an-id"),
    ("GET", "/api/patients/123e4567-e89b-12d3-a456-426614174000/more"),
    ("PATCH", "/api/patients"),
    ("GET", "/api/billing/accounts/not-an-id"),
    ("GET", "/api/billing/nothing"),
    ("DELETE", "/api/billing/accounts"),
    ("GET", "/api/analytics/nothing"),
];

#[tokio::test]
async fn with_a_strangers_token_every_operation_is_401() {
    let api = Ward::shared().api().with_token(&Forge::new().sign(&claims()));
    for line in table("Over HTTP").iter().filter(|line| line["needs"] != "nothing") {
        let (method, path) = line["request"].split_once(' ').expect("a method and a path");
        api.send(method, path).await.problem(401);
    }
    api.get("/auth/validate").await.problem(401);
    for (method, path) in NOTHING {
        for api in [&api, &Ward::shared().api()] {
            let answer = api.send(method, path).await;
            answer.problem(401);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
        }
    }
}

/// What no component guards, and why.
const OPEN: [(&str, &str); 4] = [
    ("GET", "/"),         // leads to the documents
    ("GET", "/api-docs"), // what the API is, is no secret
    ("GET", "/api-docs/patients"),
    ("GET", "/.well-known/spin/health"), // load balancers have no tokens
];

#[tokio::test]
async fn what_is_open_asks_for_no_token() {
    let api = Ward::shared().api();
    for (method, path) in OPEN {
        assert_eq!(api.send(method, path).await.status, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn spellings_of_a_path_do_not_get_around_the_guard() {
    let api = Ward::shared().api();
    for path in [
        "/api/patients/",
        "/api//patients",
        "//api/patients",
        "/API/patients",
        "/api/%70atients",
        "/auth/../api/patients",
        "/auth/%2e%2e/api/patients",
        "/api/patients%2f123e4567-e89b-12d3-a456-426614174000",
        "/api/patients;x=1",
    ] {
        let answer = api.get(path).await;
        assert!(matches!(answer.status, 400 | 401 | 404), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_clients_own_identity_headers_never_count() {
    let ward = Ward::shared();
    for api in [ward.api(), ward.api().with_token("forged")] {
        let answer = Answer::of(with_identity(&api)).await;
        answer.problem(401);
    }
    // With a good token the identity is the token's, whatever the headers say: the audit row tells.
    let mut own = claims();
    own["sub"] = "5f3e7f4e-6a51-4b37-9d3a-0c1f2ce00001".into();
    let id = "123e4567-e89b-12d3-a456-426614174000";
    let api = ward.api().with_token(&ward.forge().sign(&own));
    let path = format!("/api/patients/{id}");
    let request = api.request("GET", &path);
    let request = request.header("ward-user-id", FORGED).header("ward-user-role", "NOBODY");
    assert_eq!(Answer::of(request).await.status, 200);
    let database = ward.database("patients").await;
    let query = "SELECT actor::text FROM audit_log WHERE actor::text = $1";
    assert!(database.rows(query, &[&FORGED]).await.is_empty());
    assert!(!database.rows(query, &[&own["sub"].as_str()]).await.is_empty());
}

/// An identity nobody has.
const FORGED: &str = "5f3e7f4e-6a51-4b37-9d3a-0c1f2ce0ffff";

fn with_identity(api: &Api) -> reqwest::RequestBuilder {
    let request = api.request("GET", "/api/patients");
    request
        .header("ward-user-id", FORGED)
        .header("ward-user-role", "ADMIN")
        .header("ward-token-id", FORGED)
        .header("Ward-User-Id", FORGED)
}

#[tokio::test]
async fn a_services_own_port_is_guarded_as_the_gateway_is() {
    let ward = Ward::shared();
    let patients = Api::new(ward.listener("patients").expect("patients has a port of its own"));
    patients.get("/api/patients").await.problem(401);
    Answer::of(with_identity(&patients)).await.problem(401);
    let user = patients.with_token(&ward.forge().sign(&claims()));
    assert_eq!(user.get("/api/patients?limit=1").await.status, 200);
    let auth = Api::new(ward.listener("auth").expect("auth has a port of its own"));
    assert_eq!(auth.logged_in().await.get("/auth/validate").await.status, 200);
}

#[tokio::test]
async fn a_services_own_port_serves_no_other_service() {
    let ward = Ward::shared();
    let patients = Api::new(ward.listener("patients").expect("patients has a port of its own"));
    let answer = patients.login(ward_tests::DEMO_EMAIL, ward_tests::DEMO_PASSWORD).await;
    assert!(matches!(answer.status, 401 | 404), "{answer:?}");
}
