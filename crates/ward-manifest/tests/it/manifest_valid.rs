//! Manifests in order, and what Ward makes of them.

use std::path::Path;

use expect_test::{Expect, ExpectFile, expect, expect_file};
use ward_manifest::App;

use crate::fold::fold;

fn check(text: &str, expected: ExpectFile) {
    let shown = match App::read(Path::new("dir/spin.toml"), text) {
        Ok(mut app) => {
            app.origin = Default::default();
            format!("{app:#?}\n")
        }
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&shown);
}

/// Only what triggers became, and the warnings.
fn check_triggers(text: &str, expected: Expect) {
    let head = "spin_manifest_version = 2\napplication.name = 'x'\n";
    let shown = match App::read(Path::new("spin.toml"), &format!("{head}{text}")) {
        Ok(app) => {
            let triggers = app.http_triggers.iter();
            let mut lines: Vec<String> =
                triggers.map(|t| format!("{} {:?} {:?}", t.id, t.route, t.action)).collect();
            lines.extend(app.components.keys().map(|id| format!("component {id}")));
            lines.extend(app.warnings.iter().map(|warning| warning.to_string()));
            lines.join("\n")
        }
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&fold(&shown));
}

#[test]
fn the_least_there_can_be() {
    check(
        "spin_manifest_version = 2\napplication.name = 'x'\n\
         [[trigger.http]]\nroute = '/'\nstatic_response = {}\n",
        expect_file!["snapshots/least.txt"],
    );
}

#[test]
fn an_application_like_ours() {
    check(include_str!("clinic.toml"), expect_file!["snapshots/clinic.txt"]);
}

#[test]
fn triggers_without_ids_get_those_of_spin() {
    check_triggers(
        "[[trigger.http]]\nroute = '/a'\ncomponent = 'one'\n\
         [[trigger.http]]\nroute = '/b'\ncomponent = 'one'\n\
         [[trigger.http]]\nroute = '/c'\nstatic_response = {}\n\
         [[trigger.http]]\nid = ''\nroute = '/d'\nstatic_response = {}\n\
         [[trigger.http]]\nid = 'http-trigger2'\nroute = '/e'\ncomponent = { source = 'e.wasm' }\n\
         [[trigger.http]]\nroute = '/f'\ncomponent = { source = 'f.wasm' }\n\
         [[trigger.http]]\nid = 'own'\nroute = '/g'\ncomponent = { source = 'g.wasm' }\n\
         [component.one]\nsource = 'one.wasm'\n\
         [component.own-component]\nsource = 'own.wasm'\n",
        expect![[r#"
            one-http-trigger Public("/a") Component("one")
            http-trigger1 Public("/b") Component("one")
            http-trigger3 Public("/c") Static(StaticResponse { status_code: 200, headers:
            … {}, body: "" })
            http-trigger4 Public("/d") Static(StaticResponse { status_code: 200, headers:
            … {}, body: "" })
            http-trigger2 Public("/e") Component("http-trigger2-component")
            http-trigger5 Public("/f") Component("http-trigger5-component")
            own Public("/g") Component("inline-component1")
            component http-trigger2-component
            component http-trigger5-component
            component inline-component1
            component one
            component own-component"#]],
    );
}

#[test]
fn oddities_are_warnings() {
    check_triggers(
        "[[trigger.http]]\nroute = '/a'\ncomponent = 'one'\n\
         [[trigger.http]]\nroute = '/a'\nstatic_response = { boddy = 'x' }\n\
         [[trigger.http]]\nroute = '/.well-known/spin/x'\ncomponent = 'one'\n\
         [[trigger.http]]\nroute = { private = true }\ncomponent = 'one'\n\
         [component.one]\nsource = 'one.wasm'\n",
        expect![[r#"
            one-http-trigger Public("/a") Component("one")
            http-trigger1 Public("/a") Static(StaticResponse { status_code: 200, headers:
            … {}, body: "" })
            http-trigger2 Public("/.well-known/spin/x") Component("one")
            http-trigger3 Private Component("one")
            component one
            spin.toml:4:9: "/a" is also the route of `http-trigger1`, which wins
              4 | route = '/a'
              help: `one-http-trigger` is never reached; give it another route
            spin.toml:8:21: `boddy` means nothing in a static response
              8 | static_response = { boddy = 'x' }
              help: the keys are status_code, headers and body
            spin.toml:10:9: `/.well-known/spin/` is reserved; this route is never reached
              10 | route = '/.well-known/spin/x'
              help: move the route elsewhere"#]],
    );
}

#[test]
fn debug_shows_nothing_secret() {
    let text = "spin_manifest_version = 2\napplication.name = 'x'\n\
                [variables]\nkey = { secret = true, default = 'hunter2' }\n\
                [[trigger.http]]\nroute = '/'\ncomponent = 'a'\n\
                [component.a]\nsource = 'a.wasm'\n\
                environment = { KEY = 'hunter2' }\nvariables = { key = 'hunter2' }\n";
    let shown = format!("{:?}", App::read(Path::new("spin.toml"), text));
    assert!(shown.starts_with("Ok("), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
