//! Variables and key-value stores, as a guest sees them.

use std::time::{Duration, Instant};

use super::database::server;
use super::host::{Host, plan};

const PROBE: &str = r#"
[variables]
who = { default = "world" }
hidden = { default = "not granted" }

[[trigger.http]]
id = "probe"
route = "/..."
component = "probe"

[component.probe]
source = "{guest-probe}"
key_value_stores = ["default"]
variables = { greeting = "hello {{ who }}" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_component_sees_its_own_variables_and_no_others() {
    let host = plan(PROBE).load();
    assert_eq!(host.text("probe", "/variable?name=greeting").await, "ok hello world");
    for name in ["hidden", "who", "nothing"] {
        let answer = host.text("probe", &format!("/variable?name={name}")).await;
        assert!(answer.starts_with("error Error::Undefined"), "{name}: {answer}");
    }
    let answer = host.text("probe", "/variable?name=No-Name").await;
    assert!(answer.starts_with("error Error::InvalidName"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_there_after_a_restart() {
    let host = plan(PROBE).load();
    assert_eq!(host.text("probe", "/kv/get?key=a").await, "ok none");
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        let set = format!("/kv/set?key={key}&value={value}");
        assert_eq!(host.text("probe", &set).await, "ok set");
    }
    assert_eq!(host.text("probe", "/kv/get?key=a").await, "ok some 3");
    assert_eq!(host.text("probe", "/kv/list").await, "ok a,b");
    assert_eq!(host.text("probe", "/kv/delete?key=b").await, "ok deleted");

    let again = plan(PROBE).again_in(&host);
    drop(host);
    let host = again.load();
    until_unlocked(&host).await;
    assert_eq!(host.text("probe", "/kv/get?key=a").await, "ok some 3");
    assert_eq!(host.text("probe", "/kv/list").await, "ok a");
}

/// Waits for the last instances of a host that is gone: until they have been idle long enough to
/// go too, they keep the store's file. A real restart is another process and never waits.
async fn until_unlocked(host: &Host) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while host.text("probe", "/kv/list").await.starts_with("error") {
        assert!(Instant::now() < deadline, "the store stays locked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_granted_cannot_be_opened() {
    let host = plan(&PROBE.replace(r#"["default"]"#, "[]")).load();
    let answer = host.text("probe", "/kv/get?key=a").await;
    assert!(answer.starts_with("error Error::AccessDenied"), "{answer}");
    let answer = host.text("probe", "/kv/get?key=a&store=other").await;
    assert!(answer.starts_with("error"), "{answer}");
}

/// Two hosts, as two wards are, with one store in PostgreSQL between them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_in_postgresql_is_for_all_hosts() {
    let url = server().await.create_database().await.unwrap();
    let manifest = format!("tool.ward.key_value.default = 'postgres'\n{PROBE}");
    let host = || plan(&manifest).key_value(&url).load();
    let (one, two) = (host(), host());
    assert_eq!(two.text("probe", "/kv/get?key=a").await, "ok none");
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        let set = format!("/kv/set?key={key}&value={value}");
        assert_eq!(one.text("probe", &set).await, "ok set");
    }
    assert_eq!(one.text("probe", "/kv/get?key=a").await, "ok some 3");
    let written = Instant::now();
    while two.text("probe", "/kv/get?key=a").await != "ok some 3" {
        assert!(written.elapsed() < Duration::from_secs(1), "it is not seen");
    }
    assert_eq!(two.text("probe", "/kv/list").await, "ok a,b");
    assert_eq!(two.text("probe", "/kv/delete?key=b").await, "ok deleted");
    assert_eq!(two.text("probe", "/kv/list").await, "ok a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_nowhere_to_be_kept_is_refused_at_load() {
    let manifest = format!("tool.ward.key_value.default = 'postgres'\n{PROBE}");
    let error = plan(&manifest).try_load().err().expect("there is no PostgreSQL");
    assert!(error.to_string().contains("`default` is kept in PostgreSQL"), "{error}");
    // The operator's word wins.
    let host = plan(&manifest).config("[key_value_store.default]\ntype = 'spin'").load();
    assert_eq!(host.text("probe", "/kv/get?key=a").await, "ok none");
}
