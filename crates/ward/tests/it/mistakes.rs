//! What is wrong, said in one or two lines, and what to do about it. Wrong usage is code 2, all
//! else 1.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use expect_test::expect;

use crate::{UNBUILT, check, project, ward};

#[test]
fn a_mistyped_command() {
    check(
        &["upp"],
        expect![[r#"
            code 2
            error: unrecognized subcommand 'upp'

              tip: some similar subcommands exist: 'app', 'up'

            Usage: ward <COMMAND>

            For more information, try '--help'.
        "#]],
    );
}

#[test]
fn a_mistyped_option() {
    check(
        &["up", "--lisen", "127.0.0.1:0"],
        expect![[r#"
            code 2
            error: unexpected argument '--lisen' found

              tip: a similar argument exists: '--listen'

            Usage: ward up --listen <HOST:PORT>

            For more information, try '--help'.
        "#]],
    );
}

#[test]
fn an_address_that_is_none() {
    check(
        &["up", "--listen", "nowhere"],
        expect![[r#"
            code 2
            error: invalid value 'nowhere' for '--listen <HOST:PORT>': write it as in localhost:4004

            For more information, try '--help'.
        "#]],
    );
}

#[test]
fn an_environment_variable_without_a_value() {
    check(
        &["up", "--env", "NAME"],
        expect![[r#"
            code 2
            error: invalid value 'NAME' for '--env <NAME=VALUE>': must be NAME=VALUE

            For more information, try '--help'.
        "#]],
    );
}

#[test]
fn no_manifest() {
    check(
        &["up"],
        expect![[r#"
        code 1
        error: spin.toml: the manifest cannot be read (entity not found)
          help: name the manifest, or its directory, with --from
    "#]],
    );
}

#[test]
fn a_component_that_was_not_built() {
    let text = ward(project(UNBUILT).path(), &["up", "--listen", "127.0.0.1:0"]);
    expect![[r#"
        code 1
        error: component hello: hello.wasm is not there
        help: build it first: `ward up --build`, or `ward build`
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_port_that_is_taken() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let text = ward(project(UNBUILT).path(), &["up", "--listen", &address]);
    expect![[r#"
        code 1
        error: ADDRESS, for the gateway, is in use
        help: stop what listens there (another ward?), or choose another with --listen
    "#]]
    .assert_eq(&text.replace(&address, "ADDRESS"));
}

#[test]
fn a_log_filter_that_is_none() {
    let project = project(UNBUILT);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ward"));
    let output = command.arg("up").current_dir(project.path()).env("WARD_LOG", "a=b=c");
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with("error: WARD_LOG is no log filter")
    );
}

#[test]
fn a_variable_nobody_set_is_reported_before_anything_starts() {
    let manifest = UNBUILT.to_owned() + "\n[variables]\nneeded = { required = true }\n";
    let project = project(&manifest);
    fs::write(project.path().join("hello.wasm"), "").unwrap();
    let text = ward(project.path(), &["up", "--listen", "127.0.0.1:0"]);
    let start = "code 1\nerror: spin.toml:14:1: the required variable `needed` has no value\n";
    assert!(text.starts_with(start) && text.contains("help: "), "{text}");
    assert!(!project.path().join(".ward").exists());
}

#[test]
fn a_database_address_is_never_quoted() {
    let manifest = UNBUILT.to_owned()
        + "[component.hello.tool.ward.database]\n\
           name = \"hello\"\nvariable = \"db_url\"\nmigrations = \"migrations\"\n\
           [variables]\ndb_url = { required = true, secret = true }\n";
    let project = project(&manifest);
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(project.path().join("hello.wasm"), "").unwrap();
    for url in ["hunter2", "postgres://admin:hunter2@127.0.0.1:1/postgres"] {
        let text = ward(project.path(), &["up", "--listen", "127.0.0.1:0", "--database-url", url]);
        assert!(text.starts_with("code 1\n"), "{text}");
        assert!(text.contains("error: ") && !text.contains("hunter2"), "{text}");
    }
}
