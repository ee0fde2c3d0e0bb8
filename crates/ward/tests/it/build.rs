//! `ward build` runs what the manifest says.

use std::fs;

use crate::{UNBUILT, project, ward};

fn with_build(command: &str) -> String {
    format!("{UNBUILT}\n[component.hello.build]\ncommand = {command:?}\n")
}

#[test]
fn commands_run_beside_the_manifest() {
    let project = project(&with_build("echo built > hello.wasm"));
    let text = ward(project.path(), &["build"]);
    assert!(text.starts_with("code 0\n"), "{text}");
    assert_eq!(fs::read_to_string(project.path().join("hello.wasm")).unwrap(), "built\n");
}

#[test]
fn a_failing_command_is_the_failure() {
    let project = project(&with_build("exit 3"));
    let text = ward(project.path(), &["build"]);
    assert!(text.starts_with("code 1\nerror: component hello: its build command failed"), "{text}");
    assert!(text.contains("help: "), "{text}");
}

#[test]
fn only_the_components_asked_for() {
    let project = project(&with_build("echo built > hello.wasm"));
    let text = ward(project.path(), &["build", "--component-id", "helo"]);
    assert!(text.contains("error: the manifest has no component \"helo\""), "{text}");
    assert!(text.contains("help: it has hello"), "{text}");
    assert!(!project.path().join("hello.wasm").exists());
}
