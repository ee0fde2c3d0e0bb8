//! What holds of the table as a whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Scope, allows, grpc, http, roles, scopes};

#[test]
fn a_role_that_does_not_exist_has_no_scope() {
    for role in ["", "admin", "ADMIN ", "CLERK", "SYSTEM"] {
        assert!(scopes(role).is_empty(), "{role}");
    }
    assert!(allows("ADMIN", scopes::PATIENT_DELETE));
    assert!(!allows("NURSE", scopes::PATIENT_DELETE));
    assert!(
        roles::ALL
            .iter()
            .all(|role| allows(role.name, scopes::PATIENT_ERASE) == (role.name == "ADMIN"))
    );
    assert!(!allows("ADMIN", "patient"));
}

#[test]
fn scopes_are_what_a_token_can_hold_and_are_said_once() {
    let mut seen = BTreeSet::new();
    for (scope, about) in scopes::ALL {
        // RFC 6749, 3.3, leaves out blanks, quotes and backslashes; ours are simpler still.
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        let parts: Vec<&str> = scope.split('.').collect();
        assert!(parts.len() == 2 && parts.iter().all(|part| part.chars().all(plain)), "{scope}");
        assert!(seen.insert(*scope) && !about.is_empty(), "{scope}");
    }
    for role in roles::ALL {
        let own: BTreeSet<&str> = role.scopes.iter().copied().collect();
        assert_eq!(own.len(), role.scopes.len(), "{}", role.name);
        assert!(own.is_subset(&seen), "{}: one that is not listed", role.name);
    }
}

#[test]
fn names_are_unique_and_begin_with_their_service() {
    let names: BTreeSet<&str> = http::operations().map(|operation| operation.name).collect();
    assert_eq!(names.len(), http::operations().count());
    for service in http::SERVICES {
        let prefixes: BTreeSet<_> =
            service.iter().map(|operation| operation.name.split('.').next()).collect();
        assert_eq!(prefixes.len(), 1, "{prefixes:?}");
    }
}

#[test]
fn whatever_is_needed_somebody_has() {
    let http = http::operations().filter_map(|operation| match operation.scope {
        Scope::Needs(scope) => Some(scope),
        Scope::Public | Scope::Known => None,
    });
    let functions = grpc::INTERFACES.iter().flat_map(|interface| interface.functions);
    for scope in http.chain(functions.map(|(_, scope)| *scope)) {
        assert!(scopes::ALL.iter().any(|(name, _)| *name == scope), "{scope} is not listed");
        assert!(roles::ALL.iter().any(|role| role.scopes.contains(&scope)), "{scope}");
    }
}

#[test]
fn only_the_auditor_sees_the_trail_and_changes_nothing() {
    for role in roles::ALL {
        let auditor = role.name == "AUDITOR";
        assert_eq!(role.scopes.contains(&scopes::AUDIT_READ), auditor, "{}", role.name);
        assert!(!auditor || role.scopes.iter().all(|scope| scope.ends_with(".read")));
    }
}

/// `spin.toml`, which says again what the host has to enforce.
fn manifest() -> toml::Table {
    include_str!("../../../spin.toml").parse().unwrap()
}

fn triggers(manifest: &toml::Table, kind: &str) -> Vec<toml::Table> {
    let triggers = manifest["trigger"][kind].as_array().unwrap().iter();
    triggers.map(|trigger| trigger.as_table().unwrap().clone()).collect()
}

#[test]
fn the_manifest_names_the_same_scopes_for_the_same_functions() {
    let mut said = BTreeMap::new();
    for trigger in triggers(&manifest(), "grpc") {
        assert!(!trigger.contains_key("public"), "{trigger}");
        let (interface, _) = trigger["interface"].as_str().unwrap().split_once('@').unwrap();
        let scopes = trigger["scopes"].as_table().unwrap().iter();
        let scopes = scopes.map(|(name, scope)| (name.clone(), scope.as_str().unwrap().to_owned()));
        said.insert(interface.to_owned(), scopes.collect::<BTreeMap<_, _>>());
    }
    let served = grpc::INTERFACES.iter().filter(|interface| interface.service.is_some());
    let functions = |interface: &grpc::Interface| {
        let functions = interface.functions.iter();
        functions.map(|(name, scope)| ((*name).to_owned(), (*scope).to_owned())).collect()
    };
    let meant: BTreeMap<String, BTreeMap<String, String>> =
        served.map(|interface| (interface.name.to_owned(), functions(interface))).collect();
    assert_eq!(said, meant, "what only components call is served to nobody");
}

#[test]
fn guard_stands_before_whatever_is_not_public() {
    let manifest = manifest();
    let all = || http::operations().chain(http::DOCS);
    let (mut services, mut reached) = (BTreeSet::new(), BTreeSet::new());
    let operator = manifest["application"]["tool"]["ward"]["users"]["trigger"].as_str().unwrap();
    for trigger in triggers(&manifest, "http") {
        let component = trigger["component"].as_str().unwrap();
        let Some(route) = trigger["route"].as_str() else {
            // Where nobody comes from outside.
            assert_eq!(trigger["route"]["private"].as_bool(), Some(true));
            assert_eq!(trigger["id"].as_str(), Some(operator));
            continue;
        };
        let route = route.trim_end_matches("/...");
        let own =
            |operation: &&crate::Operation| operation.name.split('.').next() == Some(component);
        let operations: Vec<_> = all().filter(own).collect();
        let below = |it: &&&crate::Operation| it.pattern.starts_with(route);
        let here: BTreeSet<&str> = operations.iter().filter(below).map(|it| it.name).collect();
        assert!(!here.is_empty(), "{route} has no line in the policy");
        reached.extend(here);
        let public = operations.iter().all(|it| it.scope == Scope::Public);
        let guarded = trigger
            .get("dependencies")
            .is_some_and(|dependencies| dependencies.to_string().contains("component = \"guard\""));
        assert!(public || guarded, "{component}");
        services.insert(component.to_owned());
    }
    assert!(http::DOCS.iter().all(|operation| operation.scope == Scope::Public));
    assert!(services.remove("docs") && services.len() == http::SERVICES.len());
    assert_eq!(reached.len(), all().count(), "each is below a route of its component");
}

#[test]
fn a_function_that_is_not_in_the_table_is_nobodys() {
    let accounts = grpc::ACCOUNTS;
    assert!(accounts.allows("BILLING", "post-charge"));
    assert!(!accounts.allows("NURSE", "post-charge"));
    assert!(!accounts.allows("ADMIN", "erase-account"));
    assert!(!accounts.allows("SYSTEM", "get-account"));
}
