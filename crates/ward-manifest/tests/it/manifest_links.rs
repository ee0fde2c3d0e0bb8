//! Dependencies that are live links, and what is granted for their sake alone.

use std::path::Path;

use expect_test::{Expect, expect};
use ward_manifest::{App, Inherit};

use crate::fold::fold;

/// Two services and a library; `[component.a]` comes last and goes on where a test continues.
const BASE: &str = r#"spin_manifest_version = 2
application.name = "app"
[variables]
url = { default = "x" }
[[trigger.http]]
route = "/..."
component = "a"
[component.b]
source = "target/b.wasm"
variables = { b_url = "{{ url }}" }
[component.c]
source = "target/./c.wasm"
[component.a]
source = "target/a.wasm"
variables = { a_url = "{{ url }}", b_url = "{{ url }}" }
allowed_outbound_hosts = ["http://a.example", "http://b.example"]
"#;

/// Shows the dependencies and settings of `a`, or what is wrong.
fn check(rest: &str, expected: Expect) {
    let shown = match App::read(Path::new("dir/spin.toml"), &format!("{BASE}{rest}")) {
        Ok(app) => show(&app),
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&fold(&shown));
}

fn show(app: &App) -> String {
    let a = &app.components["a"];
    let mut lines = Vec::new();
    for (name, dependency) in &a.dependencies {
        let target = dependency.component.as_deref().unwrap_or("no component");
        let inherit = match &dependency.inherit {
            Inherit::All => "all".to_owned(),
            Inherit::Only(sets) => sets.join(", "),
        };
        lines.push(format!("{name} -> {target} ({inherit})"));
    }
    lines.push(format!("{:?}", a.settings.inherited_only));
    lines.push(format!("in use: {:?}", app.components_in_use()));
    lines.extend(app.warnings.iter().map(ToString::to_string));
    lines.join("\n")
}

/// The way of writing the path does not matter, nor what the other component may do.
#[test]
fn a_path_to_a_components_file_is_a_live_link() {
    check(
        "[component.a.dependencies]\n\
         \"t:b/x@1.0.0\" = { path = 'target/b.wasm', inherit_configuration = ['variables'] }\n\
         \"t:c/x\" = { path = './target/other/../c.wasm' }\n\
         \"t:d\" = { path = 'target/d.wasm' }\n",
        expect![[r#"
            t:b/x@1.0.0 -> b (variables)
            t:c/x -> c ()
            t:d -> no component ()
            InheritedOnly { variables: {}, allowed_outbound_hosts: {} }
            in use: {"a", "b", "c"}"#]],
    );
}

#[test]
fn a_component_by_its_id_is_a_part_of_its_dependent() {
    check(
        "[component.a.dependencies]\n\"t:c/x\" = { component = 'c' }\n",
        expect![[r#"
        t:c/x -> no component ()
        InheritedOnly { variables: {}, allowed_outbound_hosts: {} }
        in use: {"a"}"#]],
    );
}

#[test]
fn a_file_of_two_components_is_a_part_too() {
    check(
        "[component.a.dependencies]\n\"t:b/x\" = { path = 'target/b.wasm' }\n\
         [component.b2]\nsource = 'target/b.wasm'\n",
        expect![[r#"
            t:b/x -> no component ()
            InheritedOnly { variables: {}, allowed_outbound_hosts: {} }
            in use: {"a"}
            dir/spin.toml:18:20: the file is that of `b` and of `b2`
              18 | "t:b/x" = { path = 'target/b.wasm' }
              help: it becomes a part of this component, and calls go to neither of the two"#]],
    );
}

#[test]
fn rings_are_shown() {
    check(
        "dependencies = { \"t:b/x\" = { path = 'target/b.wasm' } }\n\
         [component.b.dependencies]\n\"t:c/x\" = { path = 'target/c.wasm' }\n\
         [component.c.dependencies]\n\"t:b/x\" = { path = 'target/b.wasm' }\n\
         [component.d]\nsource = 'target/d.wasm'\n\
         dependencies = { \"t:d/x\" = { path = 'target/d.wasm' } }\n",
        expect![[r#"
            dir/spin.toml:21:1: live links go round in a ring: b → c → b
              21 | "t:b/x" = { path = 'target/b.wasm' }
              help: take one of these dependencies out, so that every call comes to an end
            dir/spin.toml:24:18: live links go round in a ring: d → d
              24 | dependencies = { "t:d/x" = { path = 'target/d.wasm' } }
              help: take one of these dependencies out, so that every call comes to an end"#]],
    );
}

/// Two ways to the same component are no ring.
#[test]
fn a_diamond_is_no_ring() {
    check(
        "dependencies = { \"t:b/x\" = { path = 'target/b.wasm' }, \
         \"t:c/x\" = { path = 'target/c.wasm' } }\n\
         [component.b.dependencies]\n\"t:c/x\" = { path = 'target/c.wasm' }\n",
        expect![[r#"
            t:b/x -> b ()
            t:c/x -> c ()
            InheritedOnly { variables: {}, allowed_outbound_hosts: {} }
            in use: {"a", "b", "c"}"#]],
    );
}

#[test]
fn grants_for_dependencies_alone() {
    check(
        "tool.ward.inherited_only = { variables = ['b_url'], \
         allowed_outbound_hosts = ['http://b.example'] }\n",
        expect![[r#"
            InheritedOnly { variables: {"b_url"}, allowed_outbound_hosts:
            … {"http://b.example"} }
            in use: {"a"}"#]],
    );
    check(
        "tool.ward.inherited_only = { variables = ['c_url', 5], \
         allowed_outbound_hosts = ['http://*'], files = [] }\n",
        expect![[r#"
            dir/spin.toml:17:43: `inherited_only` names "c_url", which `variables` does not
            … grant
              17 | tool.ward.inherited_only = { variables = ['c_url', 5],
            … allowed_outbound_hosts = ['http://*'], files = [] }
              help: write it as `variables` of the component does, or take it out
            dir/spin.toml:17:52: each entry of `variables` must be a string, and this is an
            … integer
              17 | tool.ward.inherited_only = { variables = ['c_url', 5],
            … allowed_outbound_hosts = ['http://*'], files = [] }
            dir/spin.toml:17:82: `inherited_only` names "http://*", which
            … `allowed_outbound_hosts` does not grant
              17 | tool.ward.inherited_only = { variables = ['c_url', 5],
            … allowed_outbound_hosts = ['http://*'], files = [] }
              help: write it as `allowed_outbound_hosts` of the component does, or take it
            … out
            dir/spin.toml:17:95: unknown key `files`
              17 | tool.ward.inherited_only = { variables = ['c_url', 5],
            … allowed_outbound_hosts = ['http://*'], files = [] }
              help: the keys here are variables, allowed_outbound_hosts"#]],
    );
    check(
        "tool.ward.inherited_only = true\n",
        expect![[r#"
        dir/spin.toml:17:28: `inherited_only` must be a table, and this is a boolean
          17 | tool.ward.inherited_only = true"#]],
    );
}
