//! The gRPC trigger's tables: what becomes of them, and what is wrong with them.

use std::path::Path;

use expect_test::{Expect, expect};
use ward_manifest::App;

use crate::fold::fold;

/// A manifest in order, but for what a test adds to it.
const BASE: &str = r#"spin_manifest_version = 2
application.name = "app"
[variables]
jwt_public_key = { required = true }
[component.billing]
source = "billing.wasm"
"#;

const TOKEN: &str = r#"[application.trigger.grpc]
token = { public_key = "{{ jwt_public_key }}", issuer = "us", audience = "ward" }
"#;

fn check(rest: &str, expected: Expect) {
    let shown = match App::read(Path::new("dir/spin.toml"), &format!("{BASE}{rest}")) {
        Ok(app) => {
            let mut lines: Vec<String> =
                app.grpc_triggers.iter().map(|trigger| format!("{trigger:?}")).collect();
            lines.push(format!("{:?}", app.grpc));
            lines.join("\n")
        }
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&fold(&shown));
}

#[test]
fn a_trigger_with_everything_and_one_with_the_least() {
    check(
        &format!(
            "{TOKEN}listen = '0.0.0.0:9443'\nmax_message_size = '64KiB'\nreflection = false\n\
             tls = {{ cert = 'tls/cert.pem', key = 'tls/key.pem' }}\n\
             [[trigger.grpc]]\nid = 'billing'\ncomponent = 'billing'\n\
             interface = 'pms:billing/billing-service@1.0.0'\n\
             package = ''\nservice = 'BillingService'\npublic = true\n\
             [[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'pms:billing/accounts'\n\
             scopes = {{ get-account = 'billing.read', post-charge = 'billing.write' }}\n"
        ),
        expect![[r#"
            GrpcTrigger { id: "billing", component: "billing", interface:
            … "pms:billing/billing-service@1.0.0", package: Some(""), service:
            … Some("BillingService"), public: true, scopes: {} }
            GrpcTrigger { id: "billing-grpc-trigger", component: "billing", interface:
            … "pms:billing/accounts", package: None, service: None, public: false, scopes:
            … {"get-account": "billing.read", "post-charge": "billing.write"} }
            GrpcSettings { listen: 0.0.0.0:9443, token: Some(TokenSettings { public_key:
            … "{{ jwt_public_key }}", issuer: "us", audience: "ward", revoked: None }),
            … caller: None, refused: None, message_bytes_max: 65536, tls: Some(TlsFiles {
            … cert: "dir/tls/cert.pem", key: "dir/tls/key.pem" }), reflection: false }"#]],
    );
}

#[test]
fn sessions_that_end_are_looked_for_in_a_store() {
    let read = |revoked: &str| {
        let token = format!(
            "[application.trigger.grpc.token]\npublic_key = 'k'\nissuer = 'us'\n\
             audience = 'ward'\nrevoked = {revoked}\n\
             [[trigger.http]]\nroute = '/'\ncomponent = 'billing'\n"
        );
        App::read(Path::new("dir/spin.toml"), &format!("{BASE}{token}"))
    };
    let app = read("{ store = 'default', prefix = 'over/' }").expect("it is in order");
    let revoked = app.grpc.token.and_then(|token| token.revoked).expect("it is there");
    assert_eq!((revoked.store.as_str(), revoked.prefix.as_str()), ("default", "over/"));
    let findings = read("{ store = 'De fault', prefx = 'over/' }").unwrap_err().to_string();
    for problem in ["\"De fault\" is no label", "`prefx`", "`prefix` is missing"] {
        assert!(findings.contains(problem), "{findings}");
    }
}

#[test]
fn triggers_without_ids_get_those_of_spin() {
    let trigger = "[[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'a:b/c'\npublic = true\n";
    check(
        &trigger.repeat(2),
        expect![[r#"
            GrpcTrigger { id: "billing-grpc-trigger", component: "billing", interface:
            … "a:b/c", package: None, service: None, public: true, scopes: {} }
            GrpcTrigger { id: "grpc-trigger1", component: "billing", interface: "a:b/c",
            … package: None, service: None, public: true, scopes: {} }
            GrpcSettings { listen: 127.0.0.1:9001, token: None, caller: None, refused:
            … None, message_bytes_max: 4194304, tls: None, reflection: true }"#]],
    );
}

#[test]
fn a_trigger_that_asks_for_a_token_needs_to_know_how() {
    check(
        "[[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'a:b/c'\nscopes = {}\n\
         [[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'a:b/c'\npublic = true\n",
        expect![[r#"
            dir/spin.toml:7:1: this trigger asks for a token, and
            … [application.trigger.grpc] has no `token`
              7 | [[trigger.grpc]]
              help: add token = { public_key = …, issuer = …, audience = … } there, or
            … public = true here if anybody may call it"#]],
    );
    check(
        "[application.trigger.grpc]\ntoken = { public_key = '{{ jwt_key', issuer = '{{ iss }}' }\n\
         [[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'a:b/c'\nscopes = {}\n",
        expect![[r#"
            dir/spin.toml:8:9: `audience` is missing here; it must be a string
              8 | token = { public_key = '{{ jwt_key', issuer = '{{ iss }}' }
            dir/spin.toml:8:24: a `{{` has no `}}`
              8 | token = { public_key = '{{ jwt_key', issuer = '{{ iss }}' }
              help: write {{ name }}, with the name of a variable of [variables]
            dir/spin.toml:8:47: there is no variable `iss` in [variables]
              8 | token = { public_key = '{{ jwt_key', issuer = '{{ iss }}' }
              help: there is `jwt_public_key`"#]],
    );
}

#[test]
fn a_trigger_that_asks_for_a_token_says_what_it_has_to_allow() {
    let check = |rest: &str, expected: Expect| {
        let trigger = "[[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'a:b/c'\n";
        check(&format!("{TOKEN}{trigger}{rest}"), expected);
    };
    check(
        "",
        expect![[r#"
        dir/spin.toml:9:1: this trigger asks for a token, and no `scopes` say what it
        … has to allow
          9 | [[trigger.grpc]]
          help: add scopes = { get-order = "order.read" } with the interface's
        … functions, of which those that are not named are refused; or public = true"#]],
    );
    check(
        "public = true\nscopes = { ask = 'desk.ask' }\n",
        expect![[r#"
        dir/spin.toml:13:1: nobody needs a token here, so that no scope is looked at
          13 | scopes = { ask = 'desk.ask' }
          help: leave away either `scopes` or public = true"#]],
    );
    check(
        "scopes = { Ask_Me = 'desk.ask', ask = 'desk ask', tell = '', show = 1 }\n",
        expect![[r#"
            dir/spin.toml:12:12: "Ask_Me" is not the name of a function
              12 | scopes = { Ask_Me = 'desk.ask', ask = 'desk ask', tell = '', show = 1 }
              help: write it as in WIT, with hyphens between words: get-order
            dir/spin.toml:12:39: "desk ask" is not a scope
              12 | scopes = { Ask_Me = 'desk.ask', ask = 'desk ask', tell = '', show = 1 }
              help: write one name, without blanks, quotes and backslashes: "order.read"
            dir/spin.toml:12:58: "" is not a scope
              12 | scopes = { Ask_Me = 'desk.ask', ask = 'desk ask', tell = '', show = 1 }
              help: write one name, without blanks, quotes and backslashes: "order.read"
            dir/spin.toml:12:69: `show` must be a string, and this is an integer
              12 | scopes = { Ask_Me = 'desk.ask', ask = 'desk ask', tell = '', show = 1 }"#]],
    );
}

#[test]
fn what_is_wrong_with_triggers() {
    check(
        &format!(
            "{TOKEN}[[trigger.grpc]]\ncomponent = 'biling'\ninterface = 'accounts'\n\
             package = 'billing..v1'\nservice = '2nd'\npublic = 'yes'\n\
             [[trigger.grpc]]\ncomponent = {{ source = 'x.wasm' }}\ninterfaces = 'a:b/c'\n\
             [[trigger.grpc]]\nid = 'same'\ncomponent = 'billing'\ninterface = 'a:b/c@1'\n\
             [[trigger.grpc]]\nid = 'same'\ninterface = 'a:b/c'\n\
             [[trigger.http]]\nid = 'same'\nroute = '/'\ncomponent = 'billing'\n"
        ),
        expect![[r#"
            dir/spin.toml:9:1: this trigger asks for a token, and no `scopes` say what it
            … has to allow
              9 | [[trigger.grpc]]
              help: add scopes = { get-order = "order.read" } with the interface's
            … functions, of which those that are not named are refused; or public = true
            dir/spin.toml:10:13: there is no component `biling`
              10 | component = 'biling'
              help: did you mean `billing`?
            dir/spin.toml:11:13: "accounts" is not the name of an interface
              11 | interface = 'accounts'
              help: write it as in WIT: "ns:package/interface", with or without "@1.2.3"
            dir/spin.toml:12:11: "billing..v1" is not a protobuf package
              12 | package = 'billing..v1'
              help: write words with dots between, as in "orders.v1", or "" for none
            dir/spin.toml:13:11: "2nd" is not the name of a protobuf service
              13 | service = '2nd'
              help: use letters, digits and underscores, a letter first, as in
            … "OrderService"
            dir/spin.toml:14:10: `public` must be true or false, and this is a string
              14 | public = 'yes'
            dir/spin.toml:15:1: `interface` is missing here; it must be a string
              15 | [[trigger.grpc]]
            dir/spin.toml:15:1: this trigger asks for a token, and no `scopes` say what it
            … has to allow
              15 | [[trigger.grpc]]
              help: add scopes = { get-order = "order.read" } with the interface's
            … functions, of which those that are not named are refused; or public = true
            dir/spin.toml:16:13: the component of a grpc trigger must have an id
              16 | component = { source = 'x.wasm' }
              help: give it a table [component.<id>], and write component = "<id>"
            dir/spin.toml:17:1: unknown key `interfaces`
              17 | interfaces = 'a:b/c'
              help: did you mean `interface`?
            dir/spin.toml:18:1: this trigger asks for a token, and no `scopes` say what it
            … has to allow
              18 | [[trigger.grpc]]
              help: add scopes = { get-order = "order.read" } with the interface's
            … functions, of which those that are not named are refused; or public = true
            dir/spin.toml:19:6: two triggers have the id `same`
              19 | id = 'same'
            dir/spin.toml:21:13: "a:b/c@1" is not the name of an interface
              21 | interface = 'a:b/c@1'
              help: write it as in WIT: "ns:package/interface", with or without "@1.2.3"
            dir/spin.toml:22:1: `component` is missing here; it must be the id of a
            … component
              22 | [[trigger.grpc]]
            dir/spin.toml:22:1: this trigger asks for a token, and no `scopes` say what it
            … has to allow
              22 | [[trigger.grpc]]
              help: add scopes = { get-order = "order.read" } with the interface's
            … functions, of which those that are not named are refused; or public = true
            dir/spin.toml:23:6: two triggers have the id `same`
              23 | id = 'same'"#]],
    );
}

#[test]
fn what_is_wrong_with_settings() {
    check(
        "[application.trigger.grpc]\nlisten = '9001'\nlissten = 1\nmax_message_size = '5MiB'\n\
         token = 'x'\ntls = { cert = 'cert.pem' }\nreflection = 1\n\
         [[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'a:b/c'\n",
        expect![[r#"
            dir/spin.toml:8:10: "9001" is not an address to listen on
              8 | listen = '9001'
              help: write an IP address and a port, as in "127.0.0.1:4004"
            dir/spin.toml:9:1: unknown key `lissten`
              9 | lissten = 1
              help: did you mean `listen`?
            dir/spin.toml:10:20: `max_message_size` must be a size between 1KiB and 4MiB
              10 | max_message_size = '5MiB'
              help: write a number of bytes, or a string such as "1MiB"
            dir/spin.toml:11:9: `token` must be a table, and this is a string
              11 | token = 'x'
            dir/spin.toml:12:7: `key` is missing here; it must be a string
              12 | tls = { cert = 'cert.pem' }
            dir/spin.toml:13:14: `reflection` must be true or false, and this is an integer
              13 | reflection = 1
            dir/spin.toml:14:1: this trigger asks for a token, and no `scopes` say what it
            … has to allow
              14 | [[trigger.grpc]]
              help: add scopes = { get-order = "order.read" } with the interface's
            … functions, of which those that are not named are refused; or public = true"#]],
    );
    check(
        "[trigger]\ngrpc = 'x'\n",
        expect![[r#"
        dir/spin.toml:8:8: `grpc` must be written as [[trigger.grpc]], and this is a
        … string
          8 | grpc = 'x'"#]],
    );
    check(
        "[trigger]\nhttp = []\n[application.trigger]\ngrpc = 'x'\n",
        expect![[r#"
        dir/spin.toml:10:8: `grpc` must be a table, and this is a string
          10 | grpc = 'x'"#]],
    );
}

#[test]
fn the_record_of_the_caller_is_named_without_a_version() {
    let trigger = "[[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'a:b/c'\npublic = true\n";
    let settings =
        |caller: &str| format!("[application.trigger.grpc]\ncaller = '{caller}'\n{trigger}");
    check(
        &settings("a:b/c.who-asks"),
        expect![[r#"
            GrpcTrigger { id: "billing-grpc-trigger", component: "billing", interface:
            … "a:b/c", package: None, service: None, public: true, scopes: {} }
            GrpcSettings { listen: 127.0.0.1:9001, token: None, caller: Some(CallerRecord {
            … interface: "a:b/c", record: "who-asks" }), refused: None, message_bytes_max:
            … 4194304, tls: None, reflection: true }"#]],
    );
    check(
        &settings("a:b/c@1.0.0.who"),
        expect![[r#"
        dir/spin.toml:8:10: "a:b/c@1.0.0.who" is not the name of a record
          8 | caller = 'a:b/c@1.0.0.who'
          help: write it as in WIT and without a version: "ns:package/interface.record""#]],
    );
    check(
        &settings("a:b/c"),
        expect![[r#"
        dir/spin.toml:8:10: "a:b/c" is not the name of a record
          8 | caller = 'a:b/c'
          help: write it as in WIT and without a version: "ns:package/interface.record""#]],
    );
}

#[test]
fn the_function_that_is_told_of_refusals_is_named_without_a_version() {
    let trigger = "[[trigger.grpc]]\ncomponent = 'billing'\ninterface = 'a:b/c'\npublic = true\n";
    let settings =
        |refused: &str| format!("[application.trigger.grpc]\nrefused = '{refused}'\n{trigger}");
    check(
        &settings("a:b/c.note"),
        expect![[r#"
            GrpcTrigger { id: "billing-grpc-trigger", component: "billing", interface:
            … "a:b/c", package: None, service: None, public: true, scopes: {} }
            GrpcSettings { listen: 127.0.0.1:9001, token: None, caller: None, refused:
            … Some(FunctionName { interface: "a:b/c", function: "note" }),
            … message_bytes_max: 4194304, tls: None, reflection: true }"#]],
    );
    check(
        &settings("a:b/c@1.0.0.note"),
        expect![[r#"
            dir/spin.toml:8:11: "a:b/c@1.0.0.note" is not the name of a function
              8 | refused = 'a:b/c@1.0.0.note'
              help: write it as in WIT and without a version:
            … "ns:package/interface.function""#]],
    );
}
