//! Variables and key-value stores, as a guest sees them.

use std::time::{Duration, Instant};

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
