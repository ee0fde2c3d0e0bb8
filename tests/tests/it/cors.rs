//! What browsers are told: which pages may call, that types are no guess, and who is meant.

use reqwest::header::HeaderMap;
use ward_tests::{Answer, Api, Options, Ward, wasm};

const PAGE: &str = "https://app.example";

/// A ward with the repository's application, which lets one page call.
async fn ward() -> Ward {
    let repository = ward_tests::Repository::here();
    let manifest = repository.manifest_for_anywhere();
    let manifest = manifest.replace(
        "[application.tool.ward]\n",
        &format!("[application.tool.ward]\ncors_origins = [\"{PAGE}\"]\n"),
    );
    assert!(manifest.contains(PAGE));
    let home = Ward::new_home().keep();
    let file = home.join("spin.toml");
    std::fs::write(&file, manifest).unwrap();
    let options = Options { from: Some(file), ..Options::demo() };
    tokio::task::spawn_blocking(|| Ward::start_for_good(options, home)).await.unwrap()
}

async fn preflight(api: &Api, path: &str, origin: &str) -> Answer {
    let request = api.request("OPTIONS", path).header("origin", origin);
    let request = request.header("access-control-request-method", "PUT");
    Answer::of(request.header("access-control-request-headers", "authorization, if-match")).await
}

fn cors(headers: &HeaderMap) -> Vec<&str> {
    let all = headers.keys().map(|name| name.as_str());
    all.filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn pages_that_are_named_may_call_and_others_may_not() {
    let ward = ward().await;
    let api = ward.api();
    for path in ["/api/patients", "/auth/login", "/api-docs/patients"] {
        let answer = preflight(&api, path, PAGE).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}: {answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert_eq!(answer.header("access-control-allow-headers"), "authorization, if-match");
        assert!(answer.header("access-control-allow-methods").contains("PUT"));
        for other in ["https://evil.example", "http://app.example", "null"] {
            let refused = preflight(&api, path, other).await;
            assert_eq!(refused.problem(403)["type"], "urn:ward:problem:origin-not-allowed");
            assert_eq!(cors(&refused.headers), [] as [&str; 0]);
        }
    }
    let user = api.logged_in().await;
    let get = async |origin: &str| {
        Answer::of(user.request("GET", "/api/patients").header("origin", origin)).await
    };
    let answer = get(PAGE).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, PAGE));
    assert!(answer.headers.get("access-control-allow-credentials").is_none());
    assert_eq!(answer.header("vary"), "origin");
    let other = get("https://evil.example").await;
    assert_eq!((other.status, cors(&other.headers)), (200, vec![]), "no browser shows it");
    // Without a token it is a refusal, which the page may read.
    let refused = Answer::of(api.request("GET", "/api/patients").header("origin", PAGE)).await;
    refused.problem(401);
    assert_eq!(refused.header("access-control-allow-origin"), PAGE);
}

#[tokio::test]
async fn no_page_may_call_unless_it_is_named() {
    let api = Ward::shared().api();
    preflight(&api, "/api/patients", PAGE).await.problem(403);
    let answer = Answer::of(api.request("GET", "/").header("origin", PAGE)).await;
    assert_eq!((answer.status, cors(&answer.headers)), (200, vec![]));
    // What is no question of a browser is the service's, which wants to know who asks.
    api.send("OPTIONS", "/api/patients").await.problem(401);
}

#[tokio::test]
async fn types_are_no_guess() {
    let ward = Ward::shared();
    let user = ward.user().await;
    for path in
        ["/", "/api-docs", "/api-docs/ui/start.js", "/api/patients", "/nothing", "/auth/validate"]
    {
        let answer = user.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.headers.get("strict-transport-security").is_none(), "there is no TLS here");
        let policy = answer.headers.get("content-security-policy").map(|it| it.to_str().unwrap());
        let media = answer.header("content-type");
        match policy {
            Some(policy) => assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}"),
            None => assert!(media.starts_with("text/javascript"), "{path}: {media}"),
        }
    }
    let page = user.get("/api-docs").await;
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
}

/// A page may have a name of its own lead to this machine, and then be of one origin with it.
#[tokio::test]
async fn with_demo_data_only_this_machines_names_are_answered_to() {
    let ward = Ward::shared();
    let with_host = async |api: &Api, host: &str| {
        Answer::of(api.request("GET", "/api-docs/auth").header("host", host)).await
    };
    for listener in [ward.gateway(), ward.listener("auth").unwrap()] {
        let api = Api::new(listener);
        for host in ["localhost", "localhost:4004", "ward.localhost", "127.0.0.1:1", "[::1]"] {
            assert_ne!(with_host(&api, host).await.status, 421, "{host}");
        }
        for host in ["evil.example", "evil.example:4004", "10.0.0.1", "localhost.evil.example"] {
            let problem = with_host(&api, host).await.problem(421);
            assert_eq!(problem["type"], "urn:ward:problem:misdirected-request");
        }
    }
}

#[tokio::test]
async fn without_demo_data_a_proxy_may_use_any_name() {
    let home = Ward::new_home().keep();
    let file = home.join("spin.toml");
    let source = wasm("guest_hello").display().to_string();
    let manifest = format!(
        "spin_manifest_version = 2\napplication.name = \"hello\"\n[[trigger.http]]\n\
         route = \"/...\"\ncomponent = \"hello\"\n[component.hello]\nsource = {source:?}\n"
    );
    std::fs::write(&file, manifest).unwrap();
    let options = Options::manifest(&file);
    let start = move || Ward::start_for_good(options, home);
    let ward = tokio::task::spawn_blocking(start).await.unwrap();
    let answer = Answer::of(ward.api().request("GET", "/").header("host", "shop.example")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
