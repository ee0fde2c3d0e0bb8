//! `ward doctor` tries what it talks about: servers are connected to, files are read, ports are
//! opened; and no finding has a secret in it.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use ward_tests::{Repository, Ward, wasm};

/// What it prints of one check, and whether it found nothing wrong.
fn doctor(directory: &Path, check: &str, arguments: &[&str]) -> (bool, String) {
    said(&Ward::run(&[&["doctor", "--only", check], arguments].concat(), directory))
}

fn said(output: &Output) -> (bool, String) {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), part(&output.stdout) + &part(&output.stderr))
}

/// This repository's application, with state of its own.
fn here(check: &str, arguments: &[&str]) -> (bool, String) {
    let state = tempfile::tempdir().expect("a directory");
    let state = state.path().to_str().expect("a path of text");
    let repository = Repository::here();
    doctor(repository.root(), check, &[arguments, &["--state-dir", state]].concat())
}

/// An application of one component, with these lines about it.
fn application(settings: &str, component: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let source = wasm("guest_hello");
    let manifest = format!(
        "spin_manifest_version = 2\napplication.name = \"small\"\n{settings}\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"web\"\n\
         [component.web]\nsource = {source:?}\n{component}\n"
    );
    std::fs::write(directory.path().join("spin.toml"), manifest).expect("a manifest");
    directory
}

#[test]
fn a_broker_is_connected_to() {
    let (fine, text) = here("broker", &[]);
    assert!(fine && text.contains("none is needed"), "{text}");
    for (given, named) in [
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("PLAINTEXT://127.0.0.1:1,", "127.0.0.1:1"),
        ("kafka.invalid", "kafka.invalid:9092"),
    ] {
        let (fine, text) = here("broker", &["--kafka-brokers", given]);
        assert!(!fine && text.contains("error   broker"), "{given}: {text}");
        assert!(text.contains(named) && text.contains("help:"), "{given}: {text}");
    }
    let (fine, text) = here("broker", &["--kafka-brokers", "kafka://u:hunter2@127.0.0.1:1"]);
    assert!(!fine && !text.contains("hunter2") && text.contains("password in it"), "{text}");
}

#[test]
fn databases_that_were_given_are_connected_to() {
    let url = "postgres://u:hunter2@127.0.0.1:1/d?sslmode=disable";
    let variable = format!("patients_db_url={url}");
    for (given, named) in [
        (["--database-url", url], "--database-url"),
        (["--event-log-url", url], "--event-log-url"),
        (["--key-value-url", url], "--key-value-url"),
        (["--variable", &variable], "`patients_db_url`"),
    ] {
        let (fine, text) = here("postgresql", &given);
        assert!(!fine && text.contains(named) && text.contains("127.0.0.1:1"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn every_busy_port_is_named() {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [gateway, own] = taken.each_ref().map(|taken| taken.local_addr().expect("an address"));
    let settings = format!(
        "[application.tool.ward]\nlisten = \"{gateway}\"\n\
         [application.tool.ward.listeners]\nweb = \"{own}\""
    );
    let directory = application(&settings, "");
    let (fine, text) = doctor(directory.path(), "ports", &[]);
    assert!(!fine && text.matches("is in use").count() == 2, "{text}");
    for address in [gateway, own] {
        assert!(text.contains(&address.to_string()), "{text}");
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    let mounts = "files = [\"readme.md\", { source = \"dist\", destination = \"/\" }, \"none/*\"]";
    let directory = application("", mounts);
    let (fine, text) = doctor(directory.path(), "components", &[]);
    assert!(!fine && text.contains("`readme.md`") && text.contains("`dist`"), "{text}");
    assert!(text.contains("spin.toml") && text.contains("ward build"), "{text}");
    assert!(!text.contains("none/"), "a glob may find nothing: {text}");
}

#[test]
fn the_state_directory_is_looked_into() {
    let directory = application("", "");
    let elsewhere = directory.path().join("elsewhere");
    let data = elsewhere.join("postgres");
    std::fs::create_dir_all(&data).expect("a directory");
    std::fs::write(data.join("PG_VERSION"), "15\n").expect("a file");
    // The runtime configuration says where, and a loss of power left the pid file so.
    let config = format!("state_dir = {elsewhere:?}\n");
    std::fs::write(directory.path().join("runtime-config.toml"), config).expect("a file");
    std::fs::write(data.join("postmaster.pid"), [0; 32]).expect("a file");
    let (fine, text) = doctor(directory.path(), "state", &[]);
    assert!(fine && text.contains("elsewhere"), "{text}");
    assert!(text.contains("warning state") && text.contains("postmaster.pid"), "{text}");
}

/// What `ward doctor` says of a state directory that is another user's than the one who asks.
fn as_a_stranger(directory: &Path, state: &str) -> (bool, String) {
    let arguments = ["doctor", "--only", "state", "--state-dir", state];
    said(&Ward::run_as_nobody(&arguments, directory))
}

#[test]
fn another_users_state_is_its_owners_to_look_into() {
    let directory = application("", "");
    let passable = Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), passable.clone()).expect("permissions");
    // Root's, whoever runs the tests; and one that is behind a door.
    let (fine, text) = as_a_stranger(directory.path(), "/usr");
    assert!(!fine && text.matches("state ").count() == 1, "{text}");
    assert!(text.contains("belongs to user id 0") && text.contains("help: run ward as"), "{text}");
    let (fine, text) = as_a_stranger(directory.path(), "/usr/ward/state");
    assert!(!fine && text.contains("making /usr/ward/state: Permission denied"), "{text}");
    let closed = directory.path().join("closed");
    std::fs::create_dir_all(closed.join("state")).expect("a directory");
    std::fs::set_permissions(&closed, Permissions::from_mode(0o000)).expect("permissions");
    let (fine, text) = as_a_stranger(directory.path(), "closed/state");
    std::fs::set_permissions(&closed, passable).expect("permissions");
    assert!(!fine && text.matches("state ").count() == 1, "{text}");
    assert!(text.contains("Permission denied") && text.contains("help: "), "{text}");
}

#[test]
fn little_address_space_is_said() {
    let directory = application("", "");
    let limited = Ward::run_within(8_000_000, &["doctor", "--only", "memory"], directory.path());
    let (fine, text) = said(&limited);
    assert!(fine && text.contains("warning memory") && text.contains("ulimit -v"), "{text}");
}
