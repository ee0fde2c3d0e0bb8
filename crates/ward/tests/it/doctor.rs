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
