//! Chains of middleware at work: who comes first, and who may do what.

use ward_runtime::HandleError;

use super::host::{Answer, Host, plan, url};

/// `misbehave` behind a chain, with everything that `nosy` looks for granted to it.
fn host(chain: &str) -> Host {
    plan(
        &r#"
[[trigger.http]]
id = "chain"
route = "/..."
component = "main"
dependencies.middleware = [CHAIN]

[component.main]
source = "{guest-misbehave}"
variables = { greeting = "hello" }
environment = { GREETING = "hello" }
files = ["readme.txt"]
key_value_stores = ["default"]
allowed_outbound_hosts = ["*://*:*"]

[component.tag]
source = "{guest-tag}"

[component.nosy]
source = "{guest-nosy}"
"#
        .replace("CHAIN", chain),
    )
    .file("readme.txt", "read me")
    .load()
}

async fn echo(host: &Host) -> Answer {
    let request = http::Request::post(url("/echo")).header("x-from-outside", "kept");
    host.ask("chain", request, "the body".into()).await.unwrap()
}

/// What `nosy` reports, in the order of its report.
fn report(answer: &Answer) -> Vec<(&'static str, String)> {
    ["variables", "key-value", "postgres", "environment", "files"]
        .into_iter()
        .map(|what| (what, answer.header(&format!("x-nosy-{what}")).join(",")))
        .collect()
}

/// All of them are `expected`, but those that are listed, which are the opposite.
fn all(expected: &str, but: &[&str]) -> Vec<(&'static str, String)> {
    let other = if expected == "ok" { "denied" } else { "ok" };
    ["variables", "key-value", "postgres", "environment", "files"]
        .into_iter()
        .map(|what| (what, if but.contains(&what) { other } else { expected }.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_layer_is_the_outermost() {
    let host = host(r#"{ component = "tag" }, { component = "nosy" }, { component = "tag" }"#);
    let answer = echo(&host).await;
    assert_eq!(answer.status, 200);
    // The outer layer saw the request before anybody had marked it, and the response last.
    assert_eq!(answer.header("x-tag"), ["1", "0"]);
    assert!(answer.body.contains("x-tag-seen: 0\nx-tag-seen: 1\n"), "{}", answer.body);
    assert!(answer.body.contains("x-from-outside: kept\n"), "{}", answer.body);
    assert!(answer.body.ends_with("\n\nthe body"), "{}", answer.body);
    assert_eq!(answer.header("x-nosy-variables"), ["denied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_inherited_unasked() {
    let host = host(r#"{ component = "nosy" }"#);
    assert_eq!(report(&echo(&host).await), all("denied", &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_inherited_on_demand() {
    let host = host(r#"{ component = "nosy", inherit_configuration = true }"#);
    assert_eq!(report(&echo(&host).await), all("ok", &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_set_is_inherited_by_itself() {
    for (set, what) in [
        ("variables", "variables"),
        ("key_value_stores", "key-value"),
        ("allowed_outbound_hosts", "postgres"),
        ("environment", "environment"),
        ("files", "files"),
    ] {
        let host = host(&format!(r#"{{ component = "nosy", inherit_configuration = ["{set}"] }}"#));
        assert_eq!(report(&echo(&host).await), all("denied", &[what]), "{set}");
    }
}

/// One component twice in a chain: what the inner one has, the outer one has not.
#[tokio::test(flavor = "multi_thread")]
async fn layers_do_not_lend_each_other_anything() {
    let host = host(
        r#"{ component = "nosy" }, { component = "nosy", inherit_configuration = ["files"] }"#,
    );
    let answer = echo(&host).await;
    assert_eq!(answer.header("x-nosy-files"), ["ok", "denied"]);
    assert_eq!(answer.header("x-nosy-variables"), ["denied", "denied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_call_that_cannot_be_refused_ends_the_instance() {
    let host = host(r#"{ component = "nosy" }"#);
    let error = host.get("chain", "/?trap=http").await.unwrap_err();
    // Which call it was is in the worker's log line alone.
    assert!(matches!(error, HandleError::Trapped(_)), "{error:?}");
    assert_eq!(host.text("chain", "/").await, "well\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_of_a_chain_are_reused_like_any() {
    let host = host(r#"{ component = "tag" }"#);
    for expected in ["1\n", "2\n", "3\n"] {
        assert_eq!(host.text("chain", "/count").await, expected);
    }
}
