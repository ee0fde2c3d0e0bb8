//! `ward app`: the application at a glance, for people and for programs.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};

use crate::{project, ward};

/// Two components with everything that is shown; `caller` names the file of `callee`.
const LINKED: &str = r#"spin_manifest_version = 2

[application]
name = "linked"
version = "1.2.3"

[variables]
url = { default = "hunter2" }

[[trigger.http]]
route = "/..."
component = "caller"
dependencies.middleware = [{ path = "guard.wasm" }]

[component.caller]
source = "caller.wasm"
variables = { url = "{{ url }}", other_url = "{{ url }}" }
environment = { KEY = "hunter2" }
allowed_outbound_hosts = ["http://{{ url }}.example"]
key_value_stores = ["default"]
files = ["*.txt"]
tool.ward.inherited_only.variables = ["other_url"]
tool.ward.periodic = [{ interface = "t:c/upkeep", function = "tidy", every = "2s" }]

[component.caller.dependencies]
"test:links/work" = { path = "callee.wasm" }
"test:links/shapes" = { path = "copy.wasm" }

[component.callee]
source = "callee.wasm"

[component.other]
source = "other.wasm"
dependencies = { "a:b" = { path = "callee.wasm" } }
"#;

fn check(arguments: &[&str], expected: Expect) {
    let directory = project(LINKED);
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/wasm32-wasip2/release");
    for guest in ["caller", "callee"] {
        let from = guests.join(format!("guest_{guest}.wasm"));
        fs::copy(&from, directory.path().join(format!("{guest}.wasm"))).unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo xtask test` builds it", from.display())
        });
    }
    let text = ward(directory.path(), &[&["app"], arguments].concat());
    assert!(!text.contains("hunter2"), "{text}");
    expected.assert_eq(&text);
}

#[test]
fn as_tables() {
    check(
        &[],
        expect![[r#"
        code 0
        linked 1.2.3

        component  trigger   on                         middleware
        caller     http      /...                       guard.wasm
        caller     periodic  every 2s: t:c/upkeep#tidy

        component  calls                    of         link
        caller     test:links/shapes@1.0.0  copy.wasm  composed: its file is no component of the application
        caller     test:links/work@1.0.0    callee     live
        other      ?                        ?          not built

        component  granted      names
        caller     variables    other_url (inherited only), url
        caller     hosts        http://{{ url }}.example
        caller     stores       default
        caller     environment  KEY
        caller     files        1 entries
    "#]],
    );
}

#[test]
fn as_json() {
    check(
        &["--format", "json"],
        expect![[r#"
        code 0
        {
          "name": "linked",
          "version": "1.2.3",
          "components": [
            {
              "id": "callee",
              "triggers": [],
              "links": [],
              "grants": {
                "variables": [],
                "allowed_outbound_hosts": [],
                "key_value_stores": [],
                "environment": [],
                "files": 0
              },
              "inherited_only": {
                "variables": [],
                "allowed_outbound_hosts": []
              }
            },
            {
              "id": "caller",
              "triggers": [
                {
                  "type": "http",
                  "on": "/...",
                  "middleware": [
                    "guard.wasm"
                  ]
                },
                {
                  "type": "periodic",
                  "on": "every 2s: t:c/upkeep#tidy",
                  "middleware": []
                }
              ],
              "links": [
                {
                  "import": "test:links/shapes@1.0.0",
                  "target": "copy.wasm",
                  "kind": "composed",
                  "reason": "its file is no component of the application"
                },
                {
                  "import": "test:links/work@1.0.0",
                  "target": "callee",
                  "kind": "live"
                }
              ],
              "grants": {
                "variables": [
                  "other_url",
                  "url"
                ],
                "allowed_outbound_hosts": [
                  "http://{{ url }}.example"
                ],
                "key_value_stores": [
                  "default"
                ],
                "environment": [
                  "KEY"
                ],
                "files": 1
              },
              "inherited_only": {
                "variables": [
                  "other_url"
                ],
                "allowed_outbound_hosts": []
              }
            },
            {
              "id": "other",
              "triggers": [],
              "links": null,
              "grants": {
                "variables": [],
                "allowed_outbound_hosts": [],
                "key_value_stores": [],
                "environment": [],
                "files": 0
              },
              "inherited_only": {
                "variables": [],
                "allowed_outbound_hosts": []
              }
            }
          ]
        }
    "#]],
    );
}
