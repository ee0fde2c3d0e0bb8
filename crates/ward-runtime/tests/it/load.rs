//! What loading refuses, and what it remembers.

use super::host::{Host, Plan, plan};

fn app(source: &str, middleware: &str) -> Plan {
    plan(&format!(
        r#"
[[trigger.http]]
id = "main"
route = "/..."
component = "main"
dependencies.middleware = [{middleware}]

[[trigger.http]]
id = "fixed"
route = "/fixed"
static_response = {{ body = "fixed" }}

[component.main]
source = "{source}"

[component.tag]
source = "{{guest-tag}}"

[component.hello]
source = "{{guest-hello}}"
"#
    ))
}

fn refusal(plan: Plan) -> String {
    match plan.try_load() {
        Ok(_) => panic!("it loaded"),
        Err(error) => format!("{error} / {}", error.help.as_deref().unwrap_or_default()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_load_compiles_nothing() {
    let tag = r#"{ component = "tag" }"#;
    let host = app("{guest-hello}", tag).load();
    let again = app("{guest-hello}", tag).load();
    for (loaded, before) in again.release.loaded().iter().zip(host.release.loaded()) {
        assert!(loaded.cached, "{loaded:?}");
        assert_eq!(loaded.revision, before.revision);
        assert_eq!(loaded.revision.len(), 16, "{loaded:?}");
    }
    let other = app("{guest-probe}", tag).load();
    let revision = |host: &Host| host.release.loaded().first().map(|l| l.revision.clone());
    assert_ne!(revision(&other), revision(&host), "another component, around the same middleware");
    assert_eq!(host.release.loaded().len(), 1);
    assert!(host.release.http("fixed").is_none());
    assert_eq!(host.text("main", "/").await, "hello\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_says_how_to_build_it() {
    let text = refusal(app("missing.wasm", ""));
    assert!(text.contains("missing.wasm") && text.contains("ward build"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_component_is_refused() {
    let text = refusal(app("junk.wasm", "").file("junk.wasm", "this is not wasm"));
    assert!(text.contains("main"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_a_handler_is_refused() {
    // The binary form of the empty component.
    let text = refusal(app("empty.wasm", "").file("empty.wasm", "\0asm\x0d\0\x01\0"));
    assert!(text.contains("wasi:http"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p2_component_cannot_have_middleware() {
    let text = refusal(app("{guest-legacy}", r#"{ component = "tag" }"#));
    assert!(text.contains("`main` does not export `wasi:http/handler@0.3.0`"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_hands_nothing_on_is_no_middleware() {
    let text = refusal(app("{guest-hello}", r#"{ component = "hello" }"#));
    assert!(text.contains("middleware `hello` does not import"), "{text}");
}
