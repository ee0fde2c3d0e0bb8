//! Dependencies that are no live links: composed into their dependent, with its grants as far as
//! they are inherited, and the reason said.

use ward_runtime::LinkKind;

use super::host::{Host, Plan, plan};

/// `collector` uses a resource of `callee`, which is a component of the application, too.
fn app(inherit: &str) -> Plan {
    plan(
        &r#"
[variables]
common = { default = "common" }

[[trigger.http]]
id = "main"
route = "/..."
component = "collector"
dependencies.middleware = [{ component = "tag" }]

[component.collector]
source = "{guest-collector}"
variables = { common = "collector: {{ common }}" }
tool.ward.inherited_only.variables = ["common"]

[component.collector.dependencies]
"test:links/counters@1.0.0" = { path = "{guest-callee}", inherit_configuration = INHERIT }

[component.callee]
source = "{guest-callee}"
variables = { common = "callee: {{ common }}" }

[component.tag]
source = "{guest-tag}"
"#
        .replace("INHERIT", inherit),
    )
}

async fn check(host: &Host, path: &str, expected: &str) {
    let text = host.text("main", path).await;
    assert!(text.starts_with(expected), "{path}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_with_a_resource_is_composed_and_the_reason_said() {
    let host = app("false").load();
    check(&host, "/count", "42\n").await;
    let collector = host.release.loaded().into_iter().find(|c| c.id == "collector").unwrap();
    let [link] = collector.links.as_slice() else { panic!("{:?}", collector.links) };
    let reason = "it has the resource `counter`".to_owned();
    assert_eq!(link.kind, LinkKind::Composed { reason });
    assert_eq!(link.import, "test:links/counters@1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_the_dependents_grants_as_far_as_they_are_inherited() {
    check(&app("false").load(), "/variable?common", "Err(\"Error::Other").await;
    check(&app("[\"variables\"]").load(), "/variable?common", "Ok(\"collector: common\")").await;
    check(&app("true").load(), "/variable?common", "Ok(\"collector: common\")").await;
}

/// Withheld where the dependency does not get it either; otherwise both use one state.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_inherited_only_is_there_for_a_dependency_that_inherits_it() {
    check(&app("false").load(), "/own-variable?common", "Err(Error::Undefined").await;
    check(&app("true").load(), "/own-variable?common", "Ok(\"collector: common\")").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_nobodys_is_composed() {
    let plan = plan(
        r#"
[[trigger.http]]
id = "main"
route = "/..."
component = "caller"

[component.caller]
source = "{guest-caller}"

[component.caller.dependencies]
"test:links/shapes" = { path = "{guest-callee}" }
"test:links/work" = { path = "{guest-callee}" }
"#,
    );
    let host = plan.load();
    check(&host, "/shapes", "true true").await;
    check(&host, "/perform/plain?count", "1").await;
    let caller = &host.release.loaded()[0];
    assert_eq!(host.release.loaded().len(), 1);
    let reason = "its file is no component of the application".to_owned();
    let composed = LinkKind::Composed { reason };
    assert!(caller.links.iter().all(|link| link.kind == composed), "{:?}", caller.links);
    // It shares its dependent's fate, as in Spin.
    assert!(host.get("main", "/perform/refusal?trap").await.is_err());
}
