//! `ward doctor` finds what is wrong and fails when something is.

use std::fs;

use expect_test::expect;

use crate::{UNBUILT, check, project, ward};

#[test]
fn what_is_missing_is_an_error_with_help() {
    let project = project(UNBUILT);
    let only = ["doctor", "--only", "manifest,components"];
    expect![[r#"
        code 1
        ok      manifest    spin.toml: small with hello
        error   components  hello: hello.wasm is not there
                            help: build it: `ward build`
        Something is wrong; each help line says what to do.
    "#]]
    .assert_eq(&ward(project.path(), &only));
    fs::write(project.path().join("hello.wasm"), "").unwrap();
    expect![[r#"
        code 0
        ok      manifest    spin.toml: small with hello
        ok      components  hello: hello.wasm
        Everything that ward needs is there.
    "#]]
    .assert_eq(&ward(project.path(), &only));
}

#[test]
fn json_for_programs() {
    let only = ["doctor", "--format", "json", "--only", "components"];
    expect![[r#"
        code 1
        {
          "ok": false,
          "findings": [
            {
              "check": "components",
              "status": "error",
              "message": "hello: hello.wasm is not there",
              "help": "build it: `ward build`"
            }
          ]
        }
    "#]]
    .assert_eq(&ward(project(UNBUILT).path(), &only));
}

#[test]
fn without_a_manifest() {
    check(
        &["doctor", "--only", "manifest,components,ports,state"],
        expect![[r#"
        code 1
        error   manifest    spin.toml: the manifest cannot be read (entity not found)
                            help: name the manifest, or its directory, with --from
        Something is wrong; each help line says what to do.
    "#]],
    );
}

/// An address in the manifest is the user's broker, whatever `kafka_brokers` says: what it takes to
/// reach it is looked at, and never left out.
#[test]
fn settings_of_a_broker_are_looked_at() {
    let kafka = r#"
[variables]
kafka_brokers = { default = "" }
[application.trigger.kafka]
brokers = "127.0.0.1:9"
[application.trigger.kafka.client]
"security.protocol" = "sasl_plaintext"
"sasl.mechanism" = "PLAIN"
"sasl.password" = "hunter2"
"#;
    let only = ["doctor", "--only", "broker"];
    let shown = ward(project(&format!("{UNBUILT}{kafka}")).path(), &only);
    assert!(shown.contains("sasl.username and sasl.password must be set"), "{shown}");
    let kafka = format!("{UNBUILT}{kafka}\"sasl.username\" = \"ward\"\n");
    // Now that they go together, it is connected to.
    let shown = ward(project(&kafka).path(), &only);
    assert!(shown.starts_with("code 1\nerror   broker      Kafka at 127.0.0.1:9 "), "{shown}");
    assert!(shown.contains("Connection refused") && !shown.contains("hunter2"), "{shown}");
}
