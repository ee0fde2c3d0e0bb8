//! Components are replaced while they serve: nobody notices, what does not fit is refused by name
//! and the old one goes on, and there is a way back. Operators have a token of their own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ward_tests::swap::{Swapping, marked, operator};
use ward_tests::{Answer, Api, Options, Repository, Ward, claims, wasm};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_components_are_replaced() {
    let report = Swapping {
        swaps: 3,
        readers: 8,
        rate: 20,
        peace: Duration::from_secs(1),
        pause: Duration::from_millis(50),
    };
    let report = report.run().await;
    assert!(report.is_good(), "{report}");
    assert!(report.ledger.accepted > 0, "{report}");
    assert_eq!(report.known.len() + report.anew.len(), 18, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_build_serves_and_the_one_before_comes_back() {
    let mut ward = Ward::start(Options::default());
    let operator = operator(&ward);
    let first = digests(&operator, "billing").await;
    assert_eq!(first.len(), 1);

    let other = marked(&std::fs::read(wasm("billing")).unwrap(), "other");
    let change = put(&operator, "billing", other.clone()).await.json();
    assert_eq!(change["component"], "billing");
    assert_eq!(change["before"], json!(first[0].0));
    assert_eq!(change["replaced"], json!(["billing"]), "patients are linked to it, and stay");
    let second = digests(&operator, "billing").await;
    assert_eq!(serving(&second), change["digest"]);
    assert_eq!(second.len(), 2);

    // Guard is a part of everything that it stands in front of.
    let guard = marked(&std::fs::read(wasm("guard")).unwrap(), "other");
    let change = put(&operator, "guard", guard).await.json();
    assert_eq!(change["replaced"], json!(["analytics", "auth", "billing", "patients"]));
    assert_eq!(trusted(&ward).get("/api/patients").await.status, 200);

    let back = operator.send("POST", "/components/billing/rollback").await;
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(back.json()["digest"], json!(first[0].0));
    assert_eq!(serving(&digests(&operator, "billing").await), json!(first[0].0));
    let nothing = operator.send("POST", "/components/billing/rollback").await;
    assert_eq!(nothing.status, 404, "{nothing:?}");

    // The same over the command line.
    let at = ward.listener("ops").unwrap().trim_start_matches("http://").to_owned();
    let file = ward.state().join("other.wasm");
    std::fs::write(&file, &other).unwrap();
    let file = file.display().to_string();
    let said = command(&ward, &["swap", "billing", &file, "--ops", &at]);
    assert!(said.contains("serves in the place of"), "{said}");
    let said = command(&ward, &["revisions", "--ops", &at]);
    assert!(said.contains("billing") && said.contains("serving"), "{said}");
    let said = command(&ward, &["rollback", "billing", "--ops", &at]);
    assert!(said.contains("made anew: billing"), "{said}");
    assert!(ward.stop().success(), "{}", ward.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_by_name_and_the_old_one_serves() {
    let ward = Ward::start(Options::default());
    let operator = operator(&ward);
    let api = trusted(&ward);
    let before = digests(&operator, "billing").await;
    let refused = async |component: &str, wasm: Vec<u8>, status: u16, says: &str| {
        let answer = put(&operator, component, wasm).await;
        let detail = answer.problem(status)["detail"].clone();
        assert!(detail.as_str().unwrap().contains(says), "{component}: {detail}");
    };
    let read = |name: &str| std::fs::read(wasm(name)).unwrap();
    refused("billing", b"not wasm".to_vec(), 422, "billing").await;
    refused("billing", Vec::new(), 422, "billing").await;
    // Patients are linked to billing, which exports what they call.
    refused("billing", read("guest_hello"), 422, "billing").await;
    refused("patients", read("billing"), 422, "patients").await;
    // The function that consumes is gone.
    refused("analytics", read("guest_hello"), 422, "analytics").await;
    refused("nobody", read("billing"), 404, "there are: ").await;
    assert_eq!(digests(&operator, "billing").await, before);
    assert_eq!(api.get("/api/patients").await.status, 200);
    assert_eq!(api.get("/api/billing/accounts").await.status, 200);
    assert_eq!(api.get("/api/analytics/summary").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_have_a_token_of_their_own_and_probes_need_none() {
    let ward = Ward::start(Options::default());
    let at = ward.listener("ops").unwrap();
    let open = Api::new(at);
    for path in ["/", "/livez", "/readyz", "/metrics"] {
        assert_eq!(open.get(path).await.status, 200, "{path}");
    }
    let ready = open.get("/readyz?verbose").await;
    for check in ["serving", "database patients", "database auth", "database billing"] {
        assert!(ready.body.contains(&format!("[+] {check}")), "{}", ready.body);
    }
    let administrator = Api::new(at).with_token(&ward.forge().sign(&claims()));
    for client in [&open, &administrator] {
        for (method, path) in [
            ("GET", "/app"),
            ("GET", "/revisions"),
            ("PUT", "/components/billing"),
            ("POST", "/components/billing/rollback"),
            ("GET", "/whatever"),
        ] {
            let answer = client.send(method, path).await;
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        }
    }
    let operator = operator(&ward);
    assert_eq!(operator.get("/app").await.json()["name"], "ward");
    assert_eq!(operator.get("/whatever").await.status, 404);
    assert_eq!(operator.send("DELETE", "/components/billing").await.status, 405);
    // It opens nothing else.
    let token = operator.token();
    assert_eq!(ward.api().with_token(token).get("/api/patients").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_it_lives_and_is_not_ready() {
    let ward = Ward::start(Options::default());
    let open = Api::new(ward.listener("ops").unwrap());
    assert_eq!(open.get("/readyz").await.status, 200);
    let others = ward.administrator("auth").await;
    let close = "ALTER DATABASE billing ALLOW_CONNECTIONS false";
    assert_eq!(others.run(close, &[]).await, Ok(0));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let answer = open.get("/readyz").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.contains("[-] database billing"), "{}", answer.body);
    assert_eq!(open.get("/livez").await.status, 200);
}

fn trusted(ward: &Ward) -> Api {
    ward.api().with_token(&ward.forge().sign(&claims()))
}

async fn put(operator: &Api, component: &str, wasm: Vec<u8>) -> Answer {
    let request = operator.request("PUT", &format!("/components/{component}"));
    Answer::of(request.body(wasm)).await
}

/// A component's builds, the newest first, and whether each serves.
async fn digests(operator: &Api, component: &str) -> Vec<(String, bool)> {
    let all: Value = operator.get("/revisions").await.json();
    let found = all.as_array().unwrap().iter().find(|it| it["component"] == component).unwrap();
    let revisions = found["revisions"].as_array().unwrap().iter();
    let digest = |it: &Value| it["digest"].as_str().unwrap().to_owned();
    revisions.map(|it| (digest(it), it["serving"].as_bool().unwrap())).collect()
}

fn serving(digests: &[(String, bool)]) -> Value {
    let serving: Vec<_> = digests.iter().filter(|(_, serves)| *serves).collect();
    assert_eq!(serving.len(), 1, "{digests:?}");
    json!(serving[0].0)
}

fn command(ward: &Ward, arguments: &[&str]) -> String {
    let state = ward.state().display().to_string();
    let arguments = [arguments, &["--state-dir", &state]].concat();
    let output = Ward::run(&arguments, Repository::here().root());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_fails_is_taken_back_and_one_that_does_not_has_all_in_the_end() {
    let (hello, other) = (wasm("guest_hello"), std::fs::read(wasm("guest_misbehave")).unwrap());
    let home = tempfile::tempdir().unwrap();
    let manifest = home.path().join("spin.toml");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\n\
         route = \"/...\"\ncomponent = \"shop\"\n[component.shop]\nsource = {hello:?}\n"
    );
    std::fs::write(&manifest, text).unwrap();
    let ward = Ward::start(Options::manifest(&manifest));
    let (operator, api) = (operator(&ward), ward.api());
    let begin = async |plan: &str| {
        let path = format!("/components/shop?{plan}");
        Answer::of(operator.request("PUT", &path).body(other.clone())).await
    };
    let first = digests(&operator, "shop").await;

    assert_eq!(begin("percent=0").await.problem(400)["status"], 400);
    assert_eq!(begin("percent=30").await.json()["percent"], 30);
    let busy = begin("percent=100").await.problem(409);
    assert!(busy["detail"].as_str().unwrap().contains("is on trial with 30%"), "{busy}");
    let mut candidates = 0;
    for _ in 0..100 {
        candidates += usize::from(api.get("/").await.body == "well\n");
    }
    assert!((5..95).contains(&candidates), "{candidates} of 100, where 30 are wanted");
    // What only the candidate fails at. Who was refused is told; nobody waits for the end.
    let deadline = Instant::now() + Duration::from_secs(60);
    while on_trial(&operator).await {
        assert!(Instant::now() < deadline, "{}", ward.log());
        api.get("/trap").await;
    }
    for _ in 0..50 {
        assert_eq!(api.get("/trap").await.status, 200);
    }
    assert!(ward.log().contains("a candidate serves no longer"), "{}", ward.log());
    assert_eq!(digests(&operator, "shop").await, first);

    assert_eq!(begin("percent=50&steps=100&every=1s").await.json()["percent"], 50);
    let deadline = Instant::now() + Duration::from_secs(60);
    while on_trial(&operator).await {
        assert!(Instant::now() < deadline, "{}", ward.log());
        assert_eq!(api.get("/").await.status, 200);
    }
    assert_eq!(api.get("/").await.body, "well\n");
    assert_eq!(digests(&operator, "shop").await.len(), 2);

    // By hand: more of it, and no more of it.
    assert_eq!(operator.send("POST", "/components/shop/rollback").await.status, 200);
    assert_eq!(begin("percent=1").await.status, 200);
    let more = operator.send("POST", "/components/shop/promote?percent=100").await;
    assert_eq!(more.json()["percent"], 100);
    assert_eq!(api.get("/").await.body, "well\n");
    assert_eq!(operator.send("POST", "/components/shop/promote").await.status, 404);
}

async fn on_trial(operator: &Api) -> bool {
    operator.get("/revisions").await.json()[0]["trial"].is_object()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_while_ward_watches_takes_its_own_place() {
    let home = Ward::new_home();
    let at = |name: &str| home.path().join(name);
    std::fs::copy(wasm("guest_hello"), at("next")).unwrap();
    let text = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\n\
                route = \"/...\"\ncomponent = \"shop\"\n[component.shop]\nsource = \"shop.wasm\"\n\
                [component.shop.build]\ncommand = \"test ! -e broken && cp next shop.wasm\"\n\
                watch = [\"next\"]\n";
    std::fs::write(at("spin.toml"), text).unwrap();
    let arguments = vec!["--watch".to_owned()];
    let ward = Ward::start(Options { arguments, ..Options::manifest(&at("spin.toml")) });
    let api = ward.api();
    assert_eq!(api.get("/").await.body, "hello\n");

    let logged = async |what: &str, times: usize| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while ward.log().matches(what).count() < times {
            assert!(Instant::now() < deadline, "{what} {times}: {}", ward.log());
            assert_eq!(api.get("/").await.status, 200, "it serves meanwhile");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    std::fs::copy(wasm("guest_misbehave"), at("next")).unwrap();
    logged("it was built and serves", 1).await;
    assert_eq!(api.get("/").await.body, "well\n");
    std::fs::write(at("next"), "no wasm").unwrap();
    logged("what serves goes on as it is", 1).await;
    std::fs::write(at("broken"), "").unwrap();
    std::fs::copy(wasm("guest_hello"), at("next")).unwrap();
    logged("what serves goes on as it is", 2).await;
    assert!(ward.log().contains("its build command failed"), "{}", ward.log());
    assert_eq!(api.get("/").await.body, "well\n");
}
