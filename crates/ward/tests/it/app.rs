//! `ward app`: the application at a glance, for people and for programs.

use std::fs;
use std::path::Path;

use expect_test::{ExpectFile, expect_file};

use crate::{project, ward};

/// Two components with everything that is shown; `caller` names the file of `callee`.
const LINKED: &str = r#"spin_manifest_version = 2

[application]
name = "linked"
version = "1.2.3"
tool.ward.key_value.default = "postgres"

[variables]
url = { default = "hunter2" }

[[trigger.http]]
route = "/..."
component = "caller"
dependencies.middleware = [{ path = "guard.wasm" }]

[application.trigger.kafka]
brokers = "127.0.0.1:9092"

[[trigger.kafka]]
topics = ["orders", "returns"]
group = "billing"
component = "caller"
interface = "t:c/consumer@1.0.0"

[component.caller]
source = "caller.wasm"
variables = { url = "{{ url }}", other_url = "{{ url }}" }
environment = { KEY = "hunter2" }
allowed_outbound_hosts = ["http://{{ url }}.example"]
key_value_stores = ["default"]
files = ["*.txt"]
tool.ward.inherited_only.variables = ["other_url"]

[component.caller.dependencies]
"test:links/work" = { path = "callee.wasm" }
"test:links/shapes" = { path = "copy.wasm" }

[component.callee]
source = "callee.wasm"

[component.other]
source = "other.wasm"
dependencies = { "a:b" = { path = "callee.wasm" } }
"#;

fn check(arguments: &[&str], expected: ExpectFile) {
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
    check(&[], expect_file!["snapshots/app.txt"]);
}

#[test]
fn as_json() {
    check(&["--format", "json"], expect_file!["snapshots/app.json"]);
}
