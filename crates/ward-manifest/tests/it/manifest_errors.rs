//! What is wrong with a manifest, as people see it.

use std::path::Path;

use expect_test::{Expect, expect};
use ward_manifest::App;

use crate::fold::fold;

/// A manifest in order, which ends inside `[component.main]`.
const BASE: &str = r#"spin_manifest_version = 2
application.name = "app"
[variables]
db_host = { default = "127.0.0.1:5432" }
[[trigger.http]]
route = "/..."
component = "main"
[component.main]
source = "main.wasm"
"#;

pub(crate) fn check(text: &str, expected: Expect) {
    let shown = match App::read(Path::new("spin.toml"), text) {
        Ok(_) => "no findings".to_owned(),
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&fold(&shown));
}

/// `rest` goes on where `BASE` ends, inside `[component.main]`.
pub(crate) fn check_rest(rest: &str, expected: Expect) {
    check(&format!("{BASE}{rest}"), expected);
}

#[test]
fn the_base_is_in_order() {
    check_rest("", expect!["no findings"]);
}

#[test]
fn an_empty_manifest() {
    check(
        "",
        expect![[r#"
        spin.toml:1:1: `spin_manifest_version` is missing
          help: write `spin_manifest_version = 2`
        spin.toml:1:1: `[application]` is missing
          help: add a table [application] with the name of the application
        spin.toml:1:1: the application has no trigger, so nothing would ever run
          help: add a [[trigger.http]] with a route and a component"#]],
    );
}

#[test]
fn a_syntax_error_shows_its_line_unless_it_may_hold_a_secret() {
    check(
        "name = hello",
        expect![[r#"
        spin.toml:1:8: this is not TOML: string values must be quoted, expected literal
        … string
          1 | name = hello"#]],
    );
    check(
        "[variables]\npw = { secret = true, default = hunter2 }",
        expect![[r#"
        spin.toml:2:33: this is not TOML: string values must be quoted, expected
        … literal string"#]],
    );
    check(
        "[a]\ndefault = 'hunter2",
        expect!["spin.toml:2:19: this is not TOML: invalid literal string, expected `'`"],
    );
    check(
        "x = \"\"\"\nhunter2=\n",
        expect![[
            r#"spin.toml:3:1: this is not TOML: invalid multi-line basic string, expected `"`"#
        ]],
    );
    check(
        "[component.a\nsource = 'x'",
        expect!["spin.toml:1:13: this is not TOML: unclosed table, expected `]`"],
    );
    check(
        "name = 'a'\nname = 'b'",
        expect![[r#"
        spin.toml:2:1: this is not TOML: duplicate key
          2 | name = 'b'"#]],
    );
}

#[test]
fn other_versions_of_the_manifest() {
    check(
        &BASE.replace("= 2", "= 1"),
        expect![[r#"
        spin.toml:1:25: manifest version 1 is not one Ward reads
          1 | spin_manifest_version = 1
          help: write `spin_manifest_version = 2`"#]],
    );
    check(
        &BASE.replace("= 2", "= \"2\""),
        expect![[r#"
        spin.toml:1:25: `spin_manifest_version` must be an integer, and this is a
        … string
          1 | spin_manifest_version = "2""#]],
    );
}

#[test]
fn everything_wrong_is_reported_at_once() {
    check(
        r#"spin_manifest_version = 2
descripton = "x"
[application]
name = 7
[variables]
Bad-Name = { default = "x" }
neither = { description = "has nothing" }
both = { required = true, default = "x" }
[[trigger.http]]
route = 5
component = "mian"
[[trigger.http]]
component = "main"
static_response = { status_code = 700, headers = { "bad name" = "x" } }
[component.main]
sorce = "main.wasm"
allowed_outbound_hosts = ["example.com", "http://ok.example"]
[component.main.variables]
db = "{{ dbb }}"
"#,
        expect![[r#"
            spin.toml:2:1: unknown key `descripton`
              2 | descripton = "x"
              help: the keys here are spin_manifest_version, application, variables,
            … trigger, component
            spin.toml:4:8: `name` must be a string, and this is an integer
              4 | name = 7
            spin.toml:6:1: `Bad-Name` is no variable name: a variable name has only
            … lower-case letters, digits and underscores
              6 | Bad-Name = { default = "x" }
            spin.toml:7:1: the variable `neither` is neither required nor has a default
              7 | neither = { description = "has nothing" }
              help: give it either `required = true` or a `default`
            spin.toml:8:1: the variable `both` is required and has a default
              8 | both = { required = true, default = "x" }
              help: give it either `required = true` or a `default`
            spin.toml:10:9: `route` must be a path or { private = true }, and this is an
            … integer
              10 | route = 5
            spin.toml:11:13: there is no component `mian`
              11 | component = "mian"
              help: did you mean `main`?
            spin.toml:12:1: `route` is missing here; it must be a path such as "/api/...",
            … or { private = true }
              12 | [[trigger.http]]
            spin.toml:14:1: a trigger has a `component` or a `static_response`, not both
              14 | static_response = { status_code = 700, headers = { "bad name" = "x" } }
            spin.toml:14:35: 700 is no HTTP status; they go from 100 to 599
              14 | static_response = { status_code = 700, headers = { "bad name" = "x" } }
            spin.toml:14:52: "bad name" is no header name
              14 | static_response = { status_code = 700, headers = { "bad name" = "x" } }
            spin.toml:15:1: `source` is missing here; it must be the path of a wasm file
              15 | [component.main]
            spin.toml:16:1: unknown key `sorce`
              16 | sorce = "main.wasm"
              help: did you mean `source`?
            spin.toml:17:27: `example.com` has no scheme
              17 | allowed_outbound_hosts = ["example.com", "http://ok.example"]
              help: write <scheme>://<host>[:<port>], for example "https://api.example.com"
            spin.toml:19:6: there is no variable `dbb` in [variables]
              19 | db = "{{ dbb }}"
              help: there is `Bad-Name`, `both`, `neither`"#]],
    );
}

#[test]
fn keys_are_checked_in_every_table() {
    check_rest(
        "build = { comand = 'x' }",
        expect![[r#"
        spin.toml:10:9: `command` is missing here; it must be a shell command, or a
        … list of them
          10 | build = { comand = 'x' }
        spin.toml:10:11: unknown key `comand`
          10 | build = { comand = 'x' }
          help: did you mean `command`?"#]],
    );
    check_rest(
        "[component.main.profile.debug]\nsauce = 'x'",
        expect![[r#"
        spin.toml:11:1: unknown key `sauce`
          11 | sauce = 'x'
          help: did you mean `source`?"#]],
    );
    check_rest(
        "[application.trigger.http]\nbase = '/x'\nbass = 1",
        expect![[r#"
        spin.toml:11:8: `base` can only be "/", and this is "/x"
          11 | base = '/x'
          help: leave it out, and write the whole path in each `route`
        spin.toml:12:1: unknown key `bass`
          12 | bass = 1
          help: did you mean `base`?"#]],
    );
    check_rest(
        "targets = [{ pth = 'x' }]",
        expect![[r#"
        spin.toml:10:12: a target is a name, { url = … } or { path = … }
          10 | targets = [{ pth = 'x' }]
        spin.toml:10:14: unknown key `pth`
          10 | targets = [{ pth = 'x' }]
          help: did you mean `path`?"#]],
    );
    check_rest(
        "files = [{ source = 'a', destnation = '/a' }]",
        expect![[r#"
        spin.toml:10:10: `destination` is missing here; it must be a string
          10 | files = [{ source = 'a', destnation = '/a' }]
        spin.toml:10:26: unknown key `destnation`
          10 | files = [{ source = 'a', destnation = '/a' }]
          help: did you mean `destination`?"#]],
    );
}

#[test]
fn wrong_types_name_both() {
    check_rest(
        "description = 1\nkey_value_stores = 'default'\nfiles = [5]",
        expect![[r#"
        spin.toml:10:15: `description` must be a string, and this is an integer
          10 | description = 1
        spin.toml:11:20: `key_value_stores` must be a list of strings, and this is a
        … string
          11 | key_value_stores = 'default'
        spin.toml:12:10: each entry of `files` must be a table, and this is an integer
          12 | files = [5]"#]],
    );
    check_rest(
        "dependencies_inherit_configuration = 'yes'",
        expect![[r#"
        spin.toml:10:38: `dependencies_inherit_configuration` must be true or false,
        … and this is a string
          10 | dependencies_inherit_configuration = 'yes'"#]],
    );
    check_rest(
        "tool = 1",
        expect![[r#"
        spin.toml:10:8: `tool` must be a table, and this is an integer
          10 | tool = 1"#]],
    );
    check_rest(
        "environment = { A = 1 }",
        expect![[r#"
        spin.toml:10:21: `A` must be a string, and this is an integer
          10 | environment = { A = "…" }"#]],
    );
}

#[test]
fn what_ward_does_not_support_yet_is_refused() {
    check_rest(
        "sqlite_databases = ['default']\nai_models = ['llama']",
        expect![[r#"
        spin.toml:10:1: SQLite databases (`sqlite_databases`) are not supported by Ward
        … yet
          10 | sqlite_databases = ['default']
        spin.toml:11:1: AI models (`ai_models`) are not supported by Ward yet
          11 | ai_models = ['llama']"#]],
    );
    check_rest(
        "allowed_http_hosts = ['x.example']",
        expect![[r#"
        spin.toml:10:1: `allowed_http_hosts` is the old name, which Ward does not read
          10 | allowed_http_hosts = ['x.example']
          help: use `allowed_outbound_hosts`, with entries such as
        … "https://example.com""#]],
    );
    check_rest(
        "allowed_outbound_hosts = ['http://other.spin.internal']",
        expect![[r#"
        spin.toml:10:27: `http://other.spin.internal` is service chaining, which is not
        … supported by Ward yet
          10 | allowed_outbound_hosts = ['http://other.spin.internal']
          help: use a component dependency for a call inside the application"#]],
    );
    check_rest(
        "[[trigger.redis]]\nchannel = 'x'\n[application.trigger.redis]\naddress = 'y'",
        expect![[r#"
            spin.toml:10:11: triggers of type `redis` are not supported yet
              10 | [[trigger.redis]]
              help: this Ward serves `http`, `grpc` and `kafka` triggers
            spin.toml:12:22: triggers of type `redis` are not supported yet
              12 | [application.trigger.redis]
              help: this Ward serves `http`, `grpc` and `kafka` triggers"#]],
    );
    check_rest(
        "[[trigger.mqtt]]\ntopic = 'x'\n[[trigger.grpc]]\n[[trigger.cron]]",
        expect![[r#"
            spin.toml:10:11: triggers of type `mqtt` are not supported yet
              10 | [[trigger.mqtt]]
              help: this Ward serves `http`, `grpc` and `kafka` triggers
            spin.toml:12:1: `component` is missing here; it must be the id of a component
              12 | [[trigger.grpc]]
            spin.toml:12:1: `interface` is missing here; it must be a string
              12 | [[trigger.grpc]]
            spin.toml:12:1: this trigger asks for a token, and no `scopes` say what it has
            … to allow
              12 | [[trigger.grpc]]
              help: add scopes = { get-order = "order.read" } with the interface's
            … functions, of which those that are not named are refused; or public = true
            spin.toml:13:11: triggers of type `cron` are not supported yet
              13 | [[trigger.cron]]
              help: this Ward serves `http`, `grpc` and `kafka` triggers"#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/w'\ncomponent = 'main'\nexecutor.type = 'wagi'",
        expect![[r#"
            spin.toml:13:17: the `wagi` executor is not supported by Ward yet
              13 | executor.type = 'wagi'
              help: build the component for wasi:http, and leave `executor` out"#]],
    );
}

#[test]
fn sources_ward_does_not_support_yet_are_refused() {
    check_rest(
        "[component.far]\nsource = { url = 'https://x', digest = 'sha256:0' }",
        expect![[r#"
        spin.toml:11:10: a component from a URL is not supported by Ward yet
          11 | source = { url = 'https://x', digest = 'sha256:0' }
          help: fetch the file first, and write its path: source = "….wasm""#]],
    );
    check_rest(
        "[component.far]\nsource = { package = 'a:b', version = '1.0.0' }",
        expect![[r#"
        spin.toml:11:10: a component from a registry is not supported by Ward yet
          11 | source = { package = 'a:b', version = '1.0.0' }
          help: fetch the file first, and write its path: source = "….wasm""#]],
    );
    check_rest(
        "[component.main.dependencies]\n'a:b' = '1.0.0'\n'c:d' = { url = 'https://x' }",
        expect![[r#"
            spin.toml:11:9: a dependency from a registry is not supported by Ward yet
              11 | 'a:b' = '1.0.0'
              help: fetch the file first, and use { path = "….wasm" }
            spin.toml:12:11: a dependency from a URL is not supported by Ward yet
              12 | 'c:d' = { url = 'https://x' }
              help: fetch the file first, and use { path = "….wasm" }"#]],
    );
}

#[test]
fn empty_lists_of_what_is_not_supported_are_fine() {
    check_rest("sqlite_databases = []\nai_models = []", expect!["no findings"]);
}

#[test]
fn triggers() {
    check_rest(
        "[[trigger.http]]\nroute = '/a'",
        expect![[r#"
        spin.toml:10:1: this trigger names nothing that answers
          10 | [[trigger.http]]
          help: write component = "<id>", or static_response = { body = "…" }"#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/a/.../b'\ncomponent = 'main'",
        expect![[r#"
        spin.toml:11:9: a wildcard stands at the end of a route only
          11 | route = '/a/.../b'
          help: put the wildcard at the end, or use `:name` for one segment"#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/a...'\ncomponent = 'main'",
        expect![[r#"
        spin.toml:11:9: the `...` of a route is a segment of its own
          11 | route = '/a...'
          help: put a slash before the dots, as in "/api/...""#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/a/:?x'\ncomponent = 'main'",
        expect![[r#"
        spin.toml:11:9: a route is a path only, without a query or fragment
          11 | route = '/a/:?x'"#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/a/:'\ncomponent = 'main'",
        expect![[r#"
        spin.toml:11:9: a `:` in a route needs a name after it
          11 | route = '/a/:'
          help: name it, as in "/users/:id""#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = { private = false }\ncomponent = 'main'",
        expect![[r#"
        spin.toml:11:9: a route that is no path must be { private = true }
          11 | route = { private = false }"#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/a'\ncomponent = 'main'\ncomponents = {}",
        expect![[r#"
        spin.toml:13:1: an http trigger has no `components`
          13 | components = {}
          help: name the one component with `component`"#]],
    );
    check_rest(
        "[[trigger.http]]\nid = 'x'\nroute = '/a'\ncomponent = 'main'\n\
                [[trigger.http]]\nid = 'x'\nroute = '/b'\ncomponent = 'main'",
        expect![[r#"
            spin.toml:15:6: two triggers have the id `x`
              15 | id = 'x'"#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/a'\nstatic_response = {}\nexecuter = 1",
        expect![[r#"
        spin.toml:13:1: unknown key `executer`
          13 | executer = 1
          help: did you mean `executor`?"#]],
    );
    check(
        "spin_manifest_version = 2\napplication.name = 'x'\n[trigger]\nhttp = 1",
        expect![[r#"
        spin.toml:4:8: `http` must be written as [[trigger.http]], and this is an
        … integer
          4 | http = 1"#]],
    );
}

#[test]
fn inline_components_are_checked_like_others() {
    check_rest(
        "[[trigger.http]]\nroute = '/a'\ncomponent = { sourc = 'x.wasm' }",
        expect![[r#"
        spin.toml:12:13: `source` is missing here; it must be the path of a wasm file
          12 | component = { sourc = 'x.wasm' }
        spin.toml:12:15: unknown key `sourc`
          12 | component = { sourc = 'x.wasm' }
          help: did you mean `source`?"#]],
    );
}

fn middleware_list(list: &str, more: &str) -> String {
    format!(
        "{more}\n[[trigger.http]]\nroute = '/m'\ncomponent = 'main'\n\
         dependencies.middleware = {list}\n[component.guard]\nsource = 'guard.wasm'\n"
    )
}

#[test]
fn middleware() {
    let with = middleware_list;
    check_rest(&with("[{ component = 'guard' }]", ""), expect!["no findings"]);
    check_rest(
        &with("[{ component = 'gaurd' }]", ""),
        expect![[r#"
        spin.toml:14:42: there is no component `gaurd`
          14 | dependencies.middleware = [{ component = 'gaurd' }]
          help: did you mean `guard`?"#]],
    );
    check_rest(
        &with("[{ component = 'main' }]", "key_value_stores = ['default']"),
        expect![[r#"
        spin.toml:14:42: `main` cannot be a dependency, because it has permissions of
        … its own: `key_value_stores`
          14 | dependencies.middleware = [{ component = 'main' }]
          help: give them to the component that uses it, and list them in
        … `inherit_configuration` here"#]],
    );
    check_rest(
        &with("[{ path = 'x.wasm', export = 'y' }]", ""),
        expect![[r#"
        spin.toml:14:47: unknown key `export`
          14 | dependencies.middleware = [{ path = 'x.wasm', export = 'y' }]
          help: the keys here are component, path, inherit_configuration, url, digest,
        … version, registry, package"#]],
    );
    check_rest(
        &with("[{ path = 'x.wasm', component = 'guard' }]", ""),
        expect![[r#"
        spin.toml:14:28: a dependency is one of these, not component and path
          14 | dependencies.middleware = [{ path = 'x.wasm', component = 'guard' }]"#]],
    );
}

#[test]
fn middleware_of_other_shapes() {
    let with = middleware_list;
    check_rest(
        &with("[{ version = '1.0.0', package = 'a:b' }, {}]", ""),
        expect![[r#"
        spin.toml:14:30: a dependency from a registry is not supported by Ward yet
          14 | dependencies.middleware = [{ version = '1.0.0', package = 'a:b' }, {}]
          help: fetch the file first, and use { path = "….wasm" }
        spin.toml:14:68: a dependency that names nothing
          14 | dependencies.middleware = [{ version = '1.0.0', package = 'a:b' }, {}]
          help: name what provides it: { component = "<id>" } or { path = "….wasm" }"#]],
    );
    check_rest(
        &with("['guard']", ""),
        expect![[r#"
        spin.toml:14:28: a dependency must be a table, and this is a string
          14 | dependencies.middleware = ['guard']"#]],
    );
    check_rest(
        &with("[{ component = 'guard', inherit_configuration = ['variable'] }]", ""),
        expect![[r#"
            spin.toml:14:76: `variable` is nothing that can be inherited
              14 | dependencies.middleware = [{ component = 'guard', inherit_configuration
            … = ['variable'] }]
              help: did you mean `variables`?"#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/a'\ncomponent = 'main'\ndependencies.before = []",
        expect![[r#"
            spin.toml:13:14: unknown key `before`
              13 | dependencies.before = []
              help: the keys here are middleware"#]],
    );
    check_rest(
        "[[trigger.http]]\nroute = '/s'\nstatic_response = {}\n\
         dependencies.middleware = [{ path = 'x.wasm' }]",
        expect![[r#"
            spin.toml:13:1: a `static_response` has no component that middleware could
            … stand in front of
              13 | dependencies.middleware = [{ path = 'x.wasm' }]"#]],
    );
}

#[test]
fn component_dependencies() {
    let with = |lines: &str| format!("[component.main.dependencies]\n{lines}\n");
    check_rest(
        &with("'a:b/c@1.0.0' = { path = 'x.wasm' }\nplain = { path = 'y.wasm' }"),
        expect!["no findings"],
    );
    check_rest(
        &with("'a:b' = { path = 'x.wasm', export = 'c' }"),
        expect![[r#"
        spin.toml:11:9: `export` cannot be given for a whole package
          11 | 'a:b' = { path = 'x.wasm', export = 'c' }
          help: name one interface on the left, as in "ns:package/interface""#]],
    );
    check_rest(
        &with("'a:b/c@1.0' = { path = 'x.wasm' }"),
        expect![[r#"
        spin.toml:11:1: "a:b/c@1.0" is not the name of an import
          11 | 'a:b/c@1.0' = { path = 'x.wasm' }
          help: write "ns:package/interface", "ns:package", either with "@1.2.3", or a
        … plain kebab-case name"#]],
    );
    check_rest(
        &with("'Not_Kebab' = { path = 'x.wasm' }"),
        expect![[r#"
        spin.toml:11:1: "Not_Kebab" is not the name of an import
          11 | 'Not_Kebab' = { path = 'x.wasm' }
          help: write "ns:package/interface", "ns:package", either with "@1.2.3", or a
        … plain kebab-case name"#]],
    );
    check_rest(
        &with("'a:b' = { path = 'x.wasm' }\n'a:b/c' = { path = 'y.wasm' }"),
        expect![[r#"
        spin.toml:12:1: "a:b/c" and "a:b" could mean the same import
          12 | 'a:b/c' = { path = 'y.wasm' }"#]],
    );
    check_rest(
        &with("'a:b@1.0.0' = { path = 'x.wasm' }\n'a:b@1.2.0' = { path = 'y.wasm' }"),
        expect![[r#"
            spin.toml:12:1: "a:b@1.2.0" and "a:b@1.0.0" could mean the same import
              12 | 'a:b@1.2.0' = { path = 'y.wasm' }"#]],
    );
    check_rest(
        &with("'a:b@0.1.0' = { path = 'x.wasm' }\n'a:b@0.2.0' = { path = 'y.wasm' }"),
        expect!["no findings"],
    );
    check_rest(
        &with("'a:b' = { component = 'main' }"),
        expect![[r#"
        spin.toml:11:23: `main` cannot be a dependency, because it has permissions of
        … its own: `dependencies`
          11 | 'a:b' = { component = 'main' }
          help: give them to the component that uses it, and list them in
        … `inherit_configuration` here"#]],
    );
    check_rest(
        "dependencies_inherit_configuration = true\n\
         dependencies = { x = { path = 'x.wasm', inherit_configuration = true } }",
        expect![[r#"
            spin.toml:10:1: `dependencies_inherit_configuration` and
            … `inherit_configuration` of a dependency exclude each other
              10 | dependencies_inherit_configuration = true
              help: keep `inherit_configuration` on each dependency"#]],
    );
}

#[test]
fn names() {
    check_rest(
        "[component.Some_Thing]\nsource = 'x'",
        expect![[r#"
        spin.toml:10:12: `Some_Thing` is no component id: words are letters and digits
        … with dashes between, each in one case
          10 | [component.Some_Thing]"#]],
    );
    check_rest(
        "key_value_stores = ['de fault']",
        expect![[r#"
        spin.toml:10:21: "de fault" is no label: words are letters and digits with
        … dashes between, each in one case
          10 | key_value_stores = ['de fault']"#]],
    );
    check_rest(
        "[component.main.variables]\na__b = 'x'\nA = 'y'",
        expect![[r#"
        spin.toml:11:1: `a__b` is no variable name: underscores in a variable name
        … stand one at a time between words
          11 | a__b = "…"
        spin.toml:12:1: `A` is no variable name: a variable name has only lower-case
        … letters, digits and underscores
          12 | A = "…""#]],
    );
}

#[test]
fn templates() {
    check_rest(
        "variables = { db = '{{ db_hots }}', x = '{{ open' }",
        expect![[r#"
        spin.toml:10:20: there is no variable `db_hots` in [variables]
          10 | variables = { db = '{{ db_hots }}', x = '{{ open' }
          help: did you mean `db_host`?
        spin.toml:10:41: a `{{` has no `}}`
          10 | variables = { db = '{{ db_hots }}', x = '{{ open' }
          help: write {{ name }}, with the name of a variable of [variables]"#]],
    );
    check_rest(
        "allowed_outbound_hosts = ['postgres://{{ db_hos }}']",
        expect![[r#"
        spin.toml:10:27: there is no variable `db_hos` in [variables]
          10 | allowed_outbound_hosts = ['postgres://{{ db_hos }}']
          help: did you mean `db_host`?"#]],
    );
}

fn host_entry(host: &str) -> String {
    format!("allowed_outbound_hosts = ['{host}']")
}

#[test]
fn hosts() {
    let with = host_entry;
    check_rest(
        &with("insecure:allow-all"),
        expect![[r#"
        spin.toml:10:27: `insecure:allow-all` is no longer understood
          10 | allowed_outbound_hosts = ['insecure:allow-all']
          help: "*://*:*" allows every address"#]],
    );
    check_rest(
        &with("https://x.example/path"),
        expect![[r#"
        spin.toml:10:27: `https://x.example/path` has a path
          10 | allowed_outbound_hosts = ['https://x.example/path']
          help: leave out everything after the host and port; a host is allowed as a
        … whole"#]],
    );
    check_rest(
        &with("postgres://user:hunter2@db.example"),
        expect![[r#"
        spin.toml:10:27: `postgres://…@db.example` must not contain a user or a
        … password
          10 | allowed_outbound_hosts = ['postgres://…@db.example']
          help: leave out everything up to the `@`; the address the component opens
        … carries it"#]],
    );
    check_rest(
        &with("https://x.*.example"),
        expect![[r#"
        spin.toml:10:27: `https://x.*.example` has a `*` inside the host
          10 | allowed_outbound_hosts = ['https://x.*.example']
          help: a `*` stands alone or before a domain: "*.example.com""#]],
    );
    check_rest(
        &with("amqp://x.example"),
        expect![[r#"
        spin.toml:10:27: `amqp://x.example` has no port, and `amqp` has no usual one
          10 | allowed_outbound_hosts = ['amqp://x.example']
          help: add the port, as in ":8080", or ":*" for every port"#]],
    );
}

#[test]
fn ports_and_networks() {
    let with = host_entry;
    check_rest(
        &with("http://x.example:http"),
        expect![[r#"
        spin.toml:10:27: `http://x.example:http` has the port `http`, which is not a
        … number up to 65535
          10 | allowed_outbound_hosts = ['http://x.example:http']
          help: write ":8080", a range such as ":8000..9000", or ":*""#]],
    );
    check_rest(
        &with("http://x.example:9000..8000"),
        expect![[r#"
        spin.toml:10:27: `http://x.example:9000..8000` has the range `9000..8000`,
        … which holds no port
          10 | allowed_outbound_hosts = ['http://x.example:9000..8000']
          help: the end of a range is not part of it: "8000..8001" is port 8000"#]],
    );
    check_rest(
        &with("http://10.0.0.0/99"),
        expect![[r#"
        spin.toml:10:27: `http://10.0.0.0/99` has `10.0.0.0/99` for a network, which is
        … none
          10 | allowed_outbound_hosts = ['http://10.0.0.0/99']
          help: write a network as in "10.0.0.0/8""#]],
    );
    check_rest(
        &with("http://bad host"),
        expect![[r#"
        spin.toml:10:27: `http://bad host` has the host `bad host`, which is no host
        … name or address
          10 | allowed_outbound_hosts = ['http://bad host']
          help: write <scheme>://<host>[:<port>], for example "https://api.example.com""#]],
    );
    // The default of db_host has a port already.
    check_rest(
        &with("http://{{ db_host }}:1"),
        expect![[r#"
        spin.toml:10:27: with the defaults of its variables, `http://127.0.0.1:5432:1`
        … has the host `127.0.0.1:5432`, which is no host name or address
          10 | allowed_outbound_hosts = ['http://{{ db_host }}:1']
          help: write <scheme>://<host>[:<port>], for example "https://api.example.com""#]],
    );
}

#[test]
fn files_and_build() {
    check_rest(
        "files = ['/etc/passwd', '..', 'a/../../b', '', '.', \"a\\u0000\"]\nbuild = {}",
        expect![[r#"
        spin.toml:10:10: "/etc/passwd" is an absolute path, and a pattern is of files
        … of the application
          10 | files = ['/etc/passwd', '..', 'a/../../b', '', '.', "a\u0000"]
          help: write a relative glob such as "assets/**/*", or { source = "dir",
        … destination = "/dir" }
        spin.toml:10:25: ".." leads out of the application's directory
          10 | files = ['/etc/passwd', '..', 'a/../../b', '', '.', "a\u0000"]
          help: write a relative glob such as "assets/**/*", or { source = "dir",
        … destination = "/dir" }
        spin.toml:10:31: "a/../../b" leads out of the application's directory
          10 | files = ['/etc/passwd', '..', 'a/../../b', '', '.', "a\u0000"]
          help: write a relative glob such as "assets/**/*", or { source = "dir",
        … destination = "/dir" }
        spin.toml:10:44: "" is empty
          10 | files = ['/etc/passwd', '..', 'a/../../b', '', '.', "a\u0000"]
          help: write a relative glob such as "assets/**/*", or { source = "dir",
        … destination = "/dir" }
        spin.toml:10:48: "." is a whole directory, and a pattern is of files
          10 | files = ['/etc/passwd', '..', 'a/../../b', '', '.', "a\u0000"]
          help: write a relative glob such as "assets/**/*", or { source = "dir",
        … destination = "/dir" }
        spin.toml:10:53: "a\0" has the character U+0000, which no file's name can have
          10 | files = ['/etc/passwd', '..', 'a/../../b', '', '.', "a\u0000"]
          help: write a relative glob such as "assets/**/*", or { source = "dir",
        … destination = "/dir" }
        spin.toml:11:9: `command` is missing here; it must be a shell command, or a
        … list of them
          11 | build = {}"#]],
    );
    check_rest(
        "files = [{ source = 'a', destination = '/a/../b' }]",
        expect![[r#"
        spin.toml:10:40: "/a/../b" is not a path of the guest
          10 | files = [{ source = 'a', destination = '/a/../b' }]
          help: write "/dir""#]],
    );
    check_rest(
        "build = { command = 5 }",
        expect![[r#"
        spin.toml:10:21: `command` must be a string, and this is an integer
          10 | build = { command = 5 }"#]],
    );
}

#[test]
fn secrets_are_in_no_finding() {
    check(
        &BASE.replace(
            "[variables]",
            "[variables]\n\
             token = { secret = true, required = true, default = 'hunter2' }\n\
             other = { secrets = true, default = 'hunter2' }\n\
             key = { secret = true, default = ['hunter2', 5] }",
        ),
        expect![[r#"
            spin.toml:4:1: the variable `token` is required and has a default
              4 | token = { secret = true, required = true, default = "…" }
              help: give it either `required = true` or a `default`
            spin.toml:5:11: unknown key `secrets`
              5 | other = { secrets = true, default = "…" }
              help: did you mean `secret`?
            spin.toml:6:34: `default` must be a string, and this is an array
              6 | key = { secret = true, default = ["…", "…"] }"#]],
    );
    check_rest(
        "environment = { KEY = 'hunter2' }, x = 1",
        expect![[r#"
            spin.toml:10:34: this is not TOML: unexpected key or value, expected newline,
            … `#`"#]],
    );
    check_rest(
        "variables = { Key = 'hunter2', url = 'http://a:hunter2@{{ nope }}' }",
        expect![[r#"
        spin.toml:10:15: `Key` is no variable name: a variable name has only lower-case
        … letters, digits and underscores
          10 | variables = { Key = "…", url = 'http://…@{{ nope }}' }
        spin.toml:10:38: there is no variable `nope` in [variables]
          10 | variables = { Key = "…", url = 'http://…@{{ nope }}' }
          help: there is `db_host`"#]],
    );
    check_rest(
        "allowed_outbound_hosts = ['http://{{ s }}']\n\
         [variables.s]\nsecret = true\ndefault = '*.hunter2.*'",
        expect![[r#"
            spin.toml:10:27: with the defaults of its variables, this is no allowed host
              10 | allowed_outbound_hosts = ['http://{{ s }}']
              help: a `*` stands alone or before a domain: "*.example.com""#]],
    );
}
