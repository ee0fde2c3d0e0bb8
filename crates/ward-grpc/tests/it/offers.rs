//! What cannot be served is said at load, all of it, by trigger.

use crate::probe::Probe;
use crate::site::{MANIFEST, offer_with};

fn check(manifest: &str) -> Result<Vec<String>, Vec<String>> {
    check_with(include_str!("../../../../wit/common/common.wit"), manifest)
}

fn check_with(common: &str, manifest: &str) -> Result<Vec<String>, Vec<String>> {
    let probe = Probe::new();
    offer_with(common, manifest, &probe).map(|offer| offer.names().map(str::to_owned).collect())
}

#[test]
fn services_in_the_order_of_their_triggers() {
    assert_eq!(check(MANIFEST).unwrap(), ["test.clinic.v1.Desk", "open.Desk", "brief.Desk"]);
}

#[test]
fn two_triggers_of_one_name() {
    let errors = check(&MANIFEST.replace("package = \"open\"", "")).unwrap_err();
    let expected = "trigger `grpc-trigger1`: another trigger serves `test.clinic.v1.Desk`; give \
                    one of them a name";
    assert_eq!(errors, [expected]);
}

#[test]
fn a_scope_of_a_function_there_is_not() {
    let errors = check(&MANIFEST.replace("ask = ", "aks = ")).unwrap_err();
    let expected = "trigger `desk-grpc-trigger`: `scopes` names `aks`, and \
                    `test:clinic/desk@1.0.0` has no such function";
    assert_eq!(errors, [expected]);
}

#[test]
fn what_is_not_there() {
    let manifest = MANIFEST
        .replace("interface = \"test:clinic/desk@1.0.0\"", "interface = \"test:clinic/table\"")
        .replace("component = \"desk\"", "component = \"other\"")
        .replace(
            "[component.desk]",
            "[component.other]\nsource = \"other.wasm\"\n[component.desk]",
        );
    let errors = check(&manifest).unwrap_err();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("trigger `other-grpc-trigger`: "), "{errors:?}");
    assert!(errors[0].contains("test:clinic/table"), "{errors:?}");
    let expected =
        "trigger `grpc-trigger1`: `other` does not export `test:clinic/desk@1.0.0` `ask`";
    assert_eq!(errors[1], expected);
}

/// A component knows the fields that it was built with.
#[test]
fn the_callers_fields_are_those_of_the_components_own_contract() {
    let now = include_str!("../../../../wit/common/common.wit");
    let last = "        traceparent: string,\n";
    assert!(now.contains(last));
    assert!(check_with(&now.replace(last, ""), MANIFEST).is_ok());
    let later = now.replace(last, "        shoe-size: string,\n");
    let errors = check_with(&later, MANIFEST).unwrap_err();
    let expected = "trigger `desk-grpc-trigger`: `pms:common/types.caller` has a field \
                    `shoe-size`, which this host does not know";
    assert_eq!(errors[0], expected);
}

#[test]
fn whoever_asks_for_tokens_can_be_told_of_refusals() {
    let named = MANIFEST.replace("caller = ", "refused = \"test:clinic/log.note\"\n    caller = ");
    assert!(check(&named).is_ok());
    let of_other = named
        .replacen("component = \"desk\"", "component = \"other\"", 1)
        .replace("[component.desk]", "[component.other]\nsource = \"o.wasm\"\n[component.desk]");
    let errors = check(&of_other).unwrap_err();
    let expected = "`other` does not export `test:clinic/log.note`, which `refused` names";
    assert!(errors.iter().any(|error| error.ends_with(expected)), "{errors:?}");
}

/// A client must not be able to say who it is because a line is missing in the manifest.
#[test]
fn a_caller_that_nobody_named_is_no_part_of_a_message() {
    let unnamed = MANIFEST.replace("caller = ", "# caller = ");
    let misspelt = MANIFEST.replace("types.caller", "types.callers");
    let elsewhere = MANIFEST.replace("pms:common/types.caller", "shop:common/types.caller");
    let expected = "trigger `desk-grpc-trigger`: clients would fill in `caller` of \
                    `pms:common/types@1.0.0` themselves; name it as `caller` in \
                    [application.trigger.grpc]";
    for manifest in [unnamed, misspelt, elsewhere] {
        assert_eq!(check(&manifest).unwrap_err()[0], expected);
    }
}
