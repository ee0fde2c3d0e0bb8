//! The API's documents: where they are, that they are right, and that tools for them find nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use ward_tests::{Repository, Ward, claims_of, tools};

/// The services with a document.
const SERVICES: [&str; 4] = ["patients", "auth", "billing", "analytics"];

fn document(name: &str) -> PathBuf {
    Repository::here().root().join("docs/api").join(format!("{name}.json"))
}

#[tokio::test]
async fn every_document_is_served_as_it_is_kept() {
    let api = Ward::shared().api();
    for name in SERVICES.into_iter().chain(["events"]) {
        let answer = api.get(&format!("/api-docs/{name}")).await;
        let kept: Value = serde_json::from_slice(&fs::read(document(name)).unwrap()).unwrap();
        assert_eq!(answer.json(), kept, "{name}");
    }
    for name in ["accounts.proto", "billing_service.proto"] {
        let answer = api.get(&format!("/api-docs/{name}")).await;
        assert_eq!(answer.body, Repository::here().read(&format!("docs/api/{name}")));
    }
    let links = api.get("/").await.json();
    for path in links["documents"].as_array().expect("a list") {
        assert_eq!(api.get(path.as_str().expect("a path")).await.status, 200, "{path}");
    }
    let page = api.request("GET", "/").header("accept", "text/html,*/*;q=0.8");
    let page = ward_tests::Answer::of(page).await;
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    assert!(page.body.contains("href=\"/api-docs\""));
}

#[test]
fn the_topics_document_is_what_there_is() {
    let root = Repository::here().root().to_owned();
    let output = Ward::run(&["wit", "asyncapi"], &root);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    expect_test::expect_file![document("events")].assert_eq(&text);
}

/// Every operation has a name, an example for what it takes, and each refusal that it can make.
#[test]
fn documents_are_whole() {
    let mut names = Vec::new();
    for service in SERVICES {
        let document: Value =
            serde_json::from_slice(&fs::read(document(service)).unwrap()).unwrap();
        let paths = document["paths"].as_object().expect("paths");
        let methods = ["get", "post", "put", "delete"];
        for (path, method) in paths.iter().flat_map(|(p, it)| methods.map(|m| (p, &it[m]))) {
            let Some(name) = method["operationId"].as_str() else { continue };
            names.push(name.to_owned());
            let responses = &method["responses"];
            assert!(responses["500"].is_object() && responses["503"].is_object(), "{name}");
            let guarded = path.starts_with("/api/");
            assert_eq!(method["security"] != serde_json::json!([]) && guarded, guarded, "{name}");
            assert!(!guarded || responses["401"].is_object(), "{name}");
            if let Some(body) = method.get("requestBody") {
                let json = &body["content"]["application/json"];
                assert!(json["example"].is_object() && json["schema"].is_object(), "{name}");
                assert!(responses["413"].is_object() && responses["415"].is_object(), "{name}");
            }
        }
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "two operations have one name");
    assert!(all > 20, "{names:?}");
}

/// Whatever a service's audit log shows has a word in its document.
#[tokio::test]
async fn audit_logs_have_the_columns_that_their_documents_name() {
    let ward = Ward::shared();
    let auditor = ward.api().with_token(&ward.forge().sign(&claims_of("AUDITOR")));
    for service in SERVICES {
        let path = format!("/api/audit/{service}?limit=500");
        auditor.get(&path).await;
        let rows = auditor.get(&path).await.json();
        let rows = rows.as_array().expect("an array");
        assert!(!rows.is_empty(), "who asked before stands in it");
        let document: Value =
            serde_json::from_slice(&fs::read(document(service)).unwrap()).unwrap();
        let entry = &document["components"]["schemas"]["AuditEntries"]["items"];
        for name in rows.iter().flat_map(|row| row.as_object().expect("an object").keys()) {
            assert!(entry["properties"][name].is_object(), "{service}: {name}");
        }
    }
}

#[test]
fn a_linter_of_openapi_finds_nothing() {
    let Some(place) = node("redocly", &["@redocly/cli@2.77.0"]) else { return };
    let mut command = Command::new(place.join("node_modules/.bin/redocly"));
    command.arg("lint").args(SERVICES.map(document)).args(["--extends", "recommended-strict"]);
    command.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    clean(command.current_dir(place));
}

#[test]
fn a_parser_of_asyncapi_finds_nothing() {
    let packages = ["@asyncapi/parser@3.6.6", "@asyncapi/protobuf-schema-parser@3.9.0"];
    let Some(place) = node("asyncapi", &packages) else { return };
    let script = place.join("look.cjs");
    fs::write(&script, include_str!("asyncapi.cjs")).expect("a script");
    clean(Command::new("node").arg(script).arg(document("events")));
}

/// Tools for Node, where that is.
fn node(name: &str, packages: &[&str]) -> Option<PathBuf> {
    if Command::new("npm").arg("--version").output().is_err() {
        tools::skipped("no npm here; install nodejs and npm");
        return None;
    }
    tools::node(name, packages)
}

fn clean(command: &mut Command) {
    let output = command.output().expect("a program that runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}
