//! Every cell of `docs/roles.md`, tried: each role and no token at all, each operation, at the
//! gateway, at each service's own port, and over gRPC. What is allowed is not answered 401 or 403;
//! whether it then leads to anything is for other tests. Nothing is changed: what would change
//! something is asked for in a way that cannot be done.

use serde_json::json;
use std::collections::BTreeSet;
use tonic::Code;
use uuid::Uuid;
use ward_tests::roles::{Line, roles, scope, table};
use ward_tests::{Api, Grpc, Ward, claims_of, unique_email, unique_name};

/// The column of those who come without a token.
const STRANGER: &str = "no token";
/// A role that nobody has.
const UNKNOWN: &str = "CLERK";

/// A client with a token of this role, or with none.
fn client(ward: &Ward, base: &str, role: &str) -> Api {
    let api = Api::new(base);
    match role {
        STRANGER => api,
        role => api.with_token(&ward.forge().sign(&claims_of(role))),
    }
}

/// The columns of a table that say who may.
fn callers() -> Vec<String> {
    roles().into_iter().chain([STRANGER.to_owned()]).collect()
}

/// The request of a line: its method, and a path of a thing there is not, with a question that
/// nothing understands.
fn request(line: &Line) -> (String, String) {
    let (method, pattern) = line["request"].split_once(' ').expect("a method and a path");
    let path = pattern.split('/').map(|part| match part.starts_with('{') {
        true => Uuid::new_v4().to_string(),
        false => part.to_owned(),
    });
    let path = path.collect::<Vec<_>>().join("/");
    let question = if method == "POST" { "?nonsense=1" } else { "" };
    (method.to_owned(), format!("{path}{question}"))
}

/// The status of an answer, and its challenge where it has one. A body is not waited for.
async fn ask(api: &Api, method: &str, path: &str) -> (u16, String) {
    let answer = api.request(method, path).send().await.expect("an answer");
    let challenge = answer.headers().get("www-authenticate").map(|it| it.to_str().unwrap());
    (answer.status().as_u16(), challenge.unwrap_or_default().to_owned())
}

/// Tries a cell.
async fn check(api: &Api, line: &Line, caller: &str, cell: &str) {
    let (method, path) = request(line);
    let what = format!("{caller}: {method} {path} at {}", api.url(""));
    let (status, challenge) = ask(api, &method, &path).await;
    match cell {
        "yes" if line["needs"] == "nothing" => assert!(![403, 404].contains(&status), "{what}"),
        "yes" => assert!(![401, 403].contains(&status), "{what}: {status}"),
        "401" => assert!(status == 401 && challenge.starts_with("Bearer"), "{what}: {status}"),
        "403" => {
            assert_eq!(status, 403, "{what}");
            let needs = format!("scope=\"{}\"", line["needs"]);
            assert!(challenge.contains("error=\"insufficient_scope\""), "{what}: {challenge}");
            assert!(challenge.contains(&needs), "{what}: {challenge}");
        }
        other => panic!("{what}: a cell says {other:?}"),
    }
    // HEAD is as GET, and there is none of a stream, to whoever may be told.
    if method == "GET" && cell != "yes" {
        let head = ask(api, "HEAD", &path).await.0;
        let expected =
            if line["operation"].ends_with(".stream") && cell == "403" { 405 } else { status };
        assert_eq!(head, expected, "{what}: HEAD");
    }
}

#[tokio::test]
async fn over_http_everybody_may_what_the_manual_says_and_no_more() {
    let ward = Ward::shared();
    let lines = table("Over HTTP");
    assert!(lines.len() > 20, "the table is found: {lines:?}");
    for caller in callers() {
        for line in &lines {
            let (service, _) = line["operation"].split_once('.').expect("the service's name");
            let own = ward.listener(service).expect("each service has a port of its own");
            for base in [ward.gateway(), own] {
                check(&client(ward, base, &caller), line, &caller, &line[&caller]).await;
            }
        }
    }
}

#[tokio::test]
async fn a_role_that_nobody_has_may_nothing() {
    let ward = Ward::shared();
    assert_eq!(scope(UNKNOWN), "");
    let api = client(ward, ward.gateway(), UNKNOWN);
    for line in table("Over HTTP").iter().filter(|line| line["needs"].contains('.')) {
        check(&api, line, UNKNOWN, "403").await;
    }
}

/// Only who has the key can sign such a token; a role that lost a scope leaves them, too.
#[tokio::test]
async fn a_token_allows_no_more_than_its_role() {
    let ward = Ward::shared();
    let all: Vec<String> = table("Scopes").into_iter().map(|it| it["scope"].clone()).collect();
    for role in roles().into_iter().chain([UNKNOWN.to_owned()]) {
        let mut claims = claims_of(&role);
        claims["scope"] = all.join(" ").into();
        let api = ward.api().with_token(&ward.forge().sign(&claims));
        for line in table("Over HTTP").iter().filter(|line| line["needs"].contains('.')) {
            check(&api, line, &role, line.get(&role).map_or("403", String::as_str)).await;
        }
    }
}

#[tokio::test]
async fn what_is_in_no_table_is_nobodys() {
    let ward = Ward::shared();
    for caller in callers().into_iter().chain([UNKNOWN.to_owned()]) {
        let api = client(ward, ward.gateway(), &caller);
        let stranger = caller == STRANGER;
        for (method, path, known) in [
            ("GET", "/api/patients/a/b", 404),
            ("POST", "/api/billing/nothing", 404),
            ("GET", "/api/analytics", 404),
            ("PATCH", "/api/patients", 405),
            ("PURGE", "/api/billing/accounts", 405),
            ("HEAD", "/api/analytics/stream", 405),
            ("OPTIONS", "/api/patients", 204),
            ("OPTIONS", "/api/analytics/stream", 204),
        ] {
            let status = ask(&api, method, path).await.0;
            let expected = if stranger { 401 } else { known };
            assert_eq!(status, expected, "{caller}: {method} {path}");
        }
        for path in ["/.well-known/spin/health", "/.well-known/spin/info"] {
            assert_eq!(ask(&api, "GET", path).await.0, 200, "{caller}: {path}");
        }
        assert_eq!(ask(&api, "GET", "/metrics").await.0, 404, "{caller}");
    }
}

#[tokio::test]
async fn over_grpc_everybody_may_what_the_manual_says_and_no_more() {
    let ward = Ward::shared();
    let stranger = Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await;
    let lines = table("Over gRPC");
    let listed: BTreeSet<String> = lines.iter().map(|line| line["method"].clone()).collect();
    let own = |service: &String| !service.starts_with("grpc.");
    let served: BTreeSet<String> = stranger
        .services()
        .into_iter()
        .filter(own)
        .flat_map(|service| {
            let methods = stranger.methods(&service).into_iter();
            methods.map(move |method| format!("{service}/{method}")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(listed, served, "each method has a line, and each line a method");
    for caller in callers().into_iter().chain([UNKNOWN.to_owned()]) {
        let client = match caller.as_str() {
            STRANGER => stranger.clone(),
            role => stranger.with_token(&ward.forge().sign(&claims_of(role))),
        };
        for line in &lines {
            // No message is right without its fields, but one, which only reads.
            let code = client.call(&line["method"], &json!({})).await.err().map(|it| it.code());
            let what = format!("{caller}: {}: {code:?}", line["method"]);
            match line.get(&caller).map_or("no", String::as_str) {
                "yes" => assert!(!refused(code), "{what}"),
                _ if caller == STRANGER => assert_eq!(code, Some(Code::Unauthenticated), "{what}"),
                _ => assert_eq!(code, Some(Code::PermissionDenied), "{what}"),
            }
        }
    }
}

fn refused(code: Option<Code>) -> bool {
    matches!(code, Some(Code::PermissionDenied | Code::Unauthenticated))
}

#[tokio::test]
async fn whoever_logs_in_may_what_their_role_may() {
    let ward = Ward::shared();
    let (api, admin) = (ward.api(), ward.user().await);
    for role in roles() {
        let (email, password) = (unique_email("role"), "four words nobody guesses");
        let user = json!({
            "email": email, "name": unique_name("Rollo"), "role": role, "password": password,
        });
        let made = admin.send_json("POST", "/auth/users", &user).await;
        assert_eq!(made.status, 201, "{made:?}");
        let (user, _) = api.session(&email, password).await;
        let valid = user.get("/auth/validate").await.json();
        assert_eq!((&valid["role"], &valid["scope"]), (&json!(role), &json!(scope(&role))));
    }
}
