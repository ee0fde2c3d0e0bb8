//! The `ward` command as a person meets it: help, mistakes, and what it says about them.

use std::net::TcpListener;
use std::process::Output;
use ward_tests::{Repository, Ward};

#[test]
fn help_shows_the_commands_with_examples() {
    let help = succeeded(&["--help"]);
    for word in ["up", "build", "migrate", "doctor", "Usage", "Examples"] {
        assert!(help.contains(word), "{word} in {help}");
    }
    let up = succeeded(&["up", "--help"]);
    for option in [
        "--listen",
        "--from",
        "--variable",
        "--env",
        "--runtime-config-file",
        "--quiet",
        "--build",
        "--demo",
        "--state-dir",
    ] {
        assert!(up.contains(option), "{option} in {up}");
    }
}

#[test]
fn version_is_the_workspaces() {
    let version = succeeded(&["--version"]);
    assert_eq!(version.trim(), concat!("ward ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = succeeded(&["completions", shell]);
        assert!(script.contains("ward"), "{shell}");
    }
}

#[test]
fn a_mistyped_command_or_option_is_a_usage_error() {
    for arguments in [&["upp"][..], &["up", "--lisen", "x"], &["up", "--listen", "nowhere"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_broken_manifest_shows_all_findings_with_their_lines() {
    let manifest = "spin_manifest_version = 2\n\
                    [application]\n\
                    name = \"broken\"\n\
                    colour = \"red\"\n\
                    [[trigger.http]]\n\
                    route = \"/x\"\n\
                    component = \"missing\"\n\
                    [variables]\n\
                    both = { required = true, default = \"x\" }\n";
    let (code, text) = up(manifest);
    assert!(code.is_some_and(|code| code != 0), "{text}");
    for wanted in ["colour", "missing", "both", "spin.toml:4", "spin.toml:7", "spin.toml:9"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn a_manifest_that_is_no_toml_or_not_there_is_a_finding() {
    let (code, text) = up("this is = = no toml");
    assert!(code.is_some_and(|code| code != 0), "{text}");
    assert!(text.contains("spin.toml"), "{text}");
    let empty = tempfile::tempdir().expect("a directory");
    let output = Ward::run(&["up"], empty.path());
    assert!(!output.status.success());
    assert!(text_of(&output).contains("spin.toml"), "{output:?}");
}

#[test]
fn what_ward_does_not_support_yet_is_refused_in_words() {
    let manifest = "spin_manifest_version = 2\n\
                    [application]\n\
                    name = \"ahead\"\n\
                    [[trigger.http]]\n\
                    route = \"/x\"\n\
                    component = \"x\"\n\
                    [component.x]\n\
                    source = \"x.wasm\"\n\
                    ai_models = [\"llama2-chat\"]\n\
                    sqlite_databases = [\"default\"]\n";
    let (code, text) = up(manifest);
    assert!(code.is_some_and(|code| code != 0), "{text}");
    assert!(text.contains("ai_models") && text.contains("sqlite_databases"), "{text}");
}

#[test]
fn a_currency_that_is_none_is_refused_by_the_variables_name() {
    let state = tempfile::tempdir().expect("a directory");
    let root = Repository::here();
    for value in ["eur", "EUR ", "", "EURO", "978", "€", "QQQ", "XTS"] {
        let variable = format!("billing_currency={value}");
        for command in
            [&["up", "--state-dir"][..], &["doctor", "--only", "manifest", "--state-dir"]]
        {
            let path = state.path().to_str().expect("a path of text");
            let arguments = [command, &[path, "--variable", &variable]].concat();
            let output = Ward::run(&arguments, root.root());
            assert_eq!(output.status.code(), Some(1), "{value:?}: {output:?}");
            let text = text_of(&output);
            for wanted in ["`billing_currency`", "EUR", "USD"] {
                assert!(text.contains(wanted), "{wanted} for {value:?} in {text}");
            }
        }
    }
}

/// Where a broker's address comes out of variables that are wrong, the manifest's finding says so.
#[test]
fn what_is_wrong_with_variables_is_said_once() {
    let state = tempfile::tempdir().expect("a directory");
    let path = state.path().to_str().expect("a path of text");
    let given = ["--state-dir", path, "--variable", "billing_currency=eur"];
    for checks in ["manifest,broker", "manifest", "broker"] {
        let arguments = [&["doctor", "--only", checks][..], &given].concat();
        let output = Ward::run(&arguments, Repository::here().root());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = text_of(&output);
        assert_eq!(text.matches("is none that it may have").count(), 1, "{checks}: {text}");
        assert!(text.contains("write EUR, exactly so; it is one of"), "{text}");
    }
}

#[test]
fn a_component_that_was_not_built_is_named_with_what_to_run() {
    let manifest = "spin_manifest_version = 2\n\
                    [application]\n\
                    name = \"unbuilt\"\n\
                    [[trigger.http]]\n\
                    route = \"/x\"\n\
                    component = \"x\"\n\
                    [component.x]\n\
                    source = \"not-built.wasm\"\n";
    let (code, text) = up(manifest);
    assert!(code.is_some_and(|code| code != 0), "{text}");
    assert!(text.contains("not-built.wasm") && text.contains("build"), "{text}");
}

/// Compose passes on what nobody has set as variables that are empty.
#[test]
fn the_environment_says_where_to_serve_unless_it_is_empty() {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [own, given] = taken.each_ref().map(|taken| taken.local_addr().expect("an address"));
    let manifest = format!(
        "spin_manifest_version = 2\n\
         [application]\n\
         name = \"busy\"\n\
         [application.tool.ward]\n\
         listen = \"{own}\"\n\
         [[trigger.http]]\n\
         route = \"/x\"\n\
         component = \"x\"\n\
         [component.x]\n\
         source = \"x.wasm\"\n"
    );
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("spin.toml"), manifest).expect("a manifest");
    for (value, expected) in [
        (given.to_string(), given),
        (format!("localhost:{}", given.port()), given),
        (String::new(), own),
    ] {
        let empty = ["WARD_DATABASE_URL", "WARD_KAFKA_BROKERS", "RUNTIME_CONFIG_FILE"];
        let mut environment = empty.map(|name| (name, "")).to_vec();
        environment.push(("SPIN_HTTP_LISTEN_ADDR", value.as_str()));
        let output = Ward::run_with(&environment, &["up"], directory.path());
        let text = text_of(&output);
        assert_eq!(output.status.code(), Some(1), "{value:?}: {text}");
        let both = text.contains(&expected.to_string()) && text.contains("is in use");
        assert!(both, "{expected} for {value:?} in {text}");
    }
}

#[test]
fn build_runs_each_components_commands_where_the_manifest_says() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("inside")).expect("a directory");
    let manifest = |second: &str| {
        format!(
            "spin_manifest_version = 2\n[application]\nname = \"built\"\n\
             [[trigger.http]]\nroute = \"/x\"\ncomponent = \"x\"\n\
             [component.x]\nsource = \"x.wasm\"\n\
             [component.x.build]\nworkdir = \"inside\"\n\
             command = [\"echo first >> order\", \"{second}\"]\n"
        )
    };
    let file = directory.path().join("spin.toml");
    std::fs::write(&file, manifest("echo second >> order")).expect("a manifest");
    let output = Ward::run(&["build"], directory.path());
    assert!(output.status.success(), "{output:?}");
    let order = std::fs::read_to_string(directory.path().join("inside/order")).expect("built");
    assert_eq!(order, "first\nsecond\n");
    std::fs::write(&file, manifest("exit 7")).expect("a manifest");
    let output = Ward::run(&["build"], directory.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text_of(&output).contains("exit 7"), "the command is named: {output:?}");
}

#[test]
fn migrate_may_be_repeated() {
    let repository = Repository::here();
    let state = Ward::new_home();
    let arguments = ["migrate", "--state-dir", state.path().to_str().expect("a path of text")];
    for _ in 0..2 {
        let output = Ward::run(&arguments, repository.root());
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn doctor_finds_nothing_wrong_with_this_repository() {
    let repository = Repository::here();
    let state = tempfile::tempdir().expect("a directory");
    let state = state.path().to_str().expect("a path of text");
    let output = Ward::run(&["doctor", "--state-dir", state], repository.root());
    let text = text_of(&output);
    for word in ["PostgreSQL", "wasm32-wasip2", "spin.toml"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

/// `ward up` over a manifest that cannot start: exit code and everything printed.
fn up(manifest: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("spin.toml"), manifest).expect("a manifest");
    let output = Ward::run(&["up", "--listen", "127.0.0.1:0"], directory.path());
    (output.status.code(), text_of(&output))
}

fn run(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    Ward::run(arguments, directory.path())
}

fn succeeded(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn text_of(output: &Output) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    part(&output.stdout) + &part(&output.stderr)
}
