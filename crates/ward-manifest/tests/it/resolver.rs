//! Where variables get their values, and what components see of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use expect_test::{Expect, expect};
use ward_manifest::{App, Findings, RuntimeConfig, Variables, VariablesProvider, read_overrides};

use crate::fold::fold;

type Failure = Box<dyn std::error::Error>;

const MANIFEST: &str = r#"
spin_manifest_version = 2
application.name = "x"
[variables]
name = { default = "from the manifest" }
token = { required = true, secret = true }
host = { default = "127.0.0.1:5432" }
[[trigger.http]]
route = "/"
component = "a"
[component.a]
source = "a.wasm"
allowed_outbound_hosts = ["postgres://{{ host }}"]
variables = { greeting = "Hello {{name}}, {{ token }}!", plain = "plain" }
"#;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn app() -> Result<App, Findings> {
    App::read(Path::new("spin.toml"), MANIFEST)
}

fn resolve(
    overrides: &[(&str, &str)],
    config: &str,
    environment: &[(&str, &str)],
) -> Result<Variables, Findings> {
    let mut config = RuntimeConfig::read(Path::new("runtime-config.toml"), config)?;
    // What happens to lie in the working directory is no part of a test.
    config.dotenv_path = None;
    Variables::new(&app()?, map(overrides), &config, &map(environment))
}

const PROVIDERS: &str = r#"
[[variables_provider]]
type = "static"
values = { name = "from the first" }
[[variables_provider]]
type = "env"
prefix = "OTHER"
"#;

#[test]
fn the_first_source_with_a_value_wins() -> Result<(), Failure> {
    let check = |overrides, config, environment, expected: &str| -> Result<(), Failure> {
        let variables = resolve(overrides, config, environment)?;
        let shown = format!("{:?} {:?}", variables.app_value("name"), variables.source("name"));
        assert_eq!(shown, expected);
        Ok(())
    };
    let environment: &[_] = &[
        ("SPIN_VARIABLE_NAME", "from the environment"),
        ("SPIN_VARIABLE_TOKEN", "t"),
        ("OTHER_NAME", "from the second"),
        ("NAME", "not this"),
    ];
    let token: &[_] = &[("SPIN_VARIABLE_TOKEN", "t")];
    let overrides: &[_] = &[("name", "from the option")];
    check(overrides, PROVIDERS, environment, "Some(\"from the option\") Some(Override)")?;
    check(&[], PROVIDERS, environment, "Some(\"from the first\") Some(Provider(0))")?;
    let second = &PROVIDERS.replace("name =", "unused =");
    check(&[], second, environment, "Some(\"from the second\") Some(Provider(1))")?;
    check(&[], "", environment, "Some(\"from the environment\") Some(Environment)")?;
    check(&[], "", token, "Some(\"from the manifest\") Some(Default)")
}

#[test]
fn a_dotenv_file_comes_after_the_environment() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let dotenv = directory.path().join(".env");
    std::fs::write(&dotenv, "SPIN_VARIABLE_NAME=file\nSPIN_VARIABLE_TOKEN='from file'\n")?;
    let config = RuntimeConfig { dotenv_path: Some(dotenv.clone()), ..Default::default() };
    let environment = map(&[("SPIN_VARIABLE_NAME", "environment")]);
    let variables = Variables::new(&app()?, BTreeMap::new(), &config, &environment)?;
    assert_eq!(variables.app_value("name"), Some("environment"));
    assert_eq!(variables.app_value("token"), Some("from file"));

    std::fs::write(&dotenv, "SPIN_VARIABLE_TOKEN='hunter2\n")?;
    let Err(findings) = Variables::new(&app()?, BTreeMap::new(), &config, &environment) else {
        return Err("it was read".into());
    };
    assert!(findings.to_string().contains("this .env file cannot be read"), "{findings}");
    assert!(!findings.to_string().contains("hunter2"), "{findings}");
    Ok(())
}

#[test]
fn what_has_no_value_is_found_when_it_is_built() {
    let check = |overrides, expected: Expect| {
        let shown = match resolve(overrides, "", &[]) {
            Ok(variables) => format!("{variables:?} {:?}", variables.warnings()),
            Err(findings) => findings.to_string(),
        };
        expected.assert_eq(&fold(&shown));
    };
    check(
        &[("token", "hunter2")],
        expect![[r#"{"host": Default, "name": Default, "token": Override} []"#]],
    );
    check(
        &[],
        expect![[r#"
        spin.toml:6:1: the required variable `token` has no value
          6 | token = { required = true, secret = true }
          help: give it with --variable token=VALUE, with SPIN_VARIABLE_TOKEN in the
        … environment, or in a [[variables_provider]] of the runtime configuration"#]],
    );
    check(
        &[("tokne", "hunter2")],
        expect![[r#"
        spin.toml: a value was given for `tokne`, but there is no such variable
          help: did you mean `token`?
        spin.toml:6:1: the required variable `token` has no value
          6 | token = { required = true, secret = true }
          help: give it with --variable token=VALUE, with SPIN_VARIABLE_TOKEN in the
        … environment, or in a [[variables_provider]] of the runtime configuration"#]],
    );
    check(
        &[("token", "t"), ("other", "hunter2")],
        expect![[r#"
        {"host": Default, "name": Default, "token": Override} [Finding { file:
        … "spin.toml", line: 0, column: 0, excerpt: "", problem: "a value was given for
        … `other`, but there is no such variable", help: Some("there is `host`, `name`,
        … `token`") }]"#]],
    );
}

#[test]
fn a_component_sees_its_own_names_only() -> Result<(), Failure> {
    let variables = resolve(&[("token", "t"), ("name", "you")], "", &[])?;
    let check = |component: &str, name: &str, expected: Expect| {
        expected.assert_eq(&fold(&format!("{:?}", variables.get(component, name))));
    };
    check("a", "greeting", expect![[r#"Ok("Hello you, t!")"#]]);
    check("a", "plain", expect![[r#"Ok("plain")"#]]);
    check("a", "name", expect![[r#"Err(Undefined("no variable `name`"))"#]]);
    check("b", "greeting", expect![[r#"Err(Undefined("no variable `greeting`"))"#]]);
    check(
        "a",
        "Greeting",
        expect![[r#"
        Err(InvalidName("\"Greeting\": a variable name has only lower-case letters,
        … digits and underscores"))"#]],
    );
    check("a", "", expect![[r#"Err(InvalidName("\"\": a variable name must not be empty"))"#]]);
    check(
        "a",
        "a__b",
        expect![[r#"
        Err(InvalidName("\"a__b\": underscores in a variable name stand one at a time
        … between words"))"#]],
    );
    assert_eq!(variables.names("a").collect::<Vec<_>>(), ["greeting", "plain"]);
    Ok(())
}

#[test]
fn templates_are_filled_in() -> Result<(), Failure> {
    let variables = resolve(&[("token", "{{ name }}"), ("name", "you")], "", &[])?;
    let check = |template: &str, expected: Expect| {
        expected.assert_eq(&fold(&format!("{:?}", variables.expand(template))));
    };
    check("", expect![[r#"Ok("")"#]]);
    check("{{name}}-{{ name }}", expect![[r#"Ok("you-you")"#]]);
    // Values are not templates.
    check("{{ token }}", expect![[r#"Ok("{{ name }}")"#]]);
    check("{ name } }}", expect![[r#"Ok("{ name } }}")"#]]);
    check("{{ name", expect![[r#"Err(Other("invalid template: a `{{` has no `}}`"))"#]]);
    check(
        "{{ nobody }}",
        expect![[r#"Err(Other("invalid template: there is no variable `nobody`"))"#]],
    );
    Ok(())
}

#[test]
fn a_value_is_one_of_those_that_are_listed() -> Result<(), Failure> {
    let list = "[application.tool.ward.one_of]\nname = ['me', 'you']\n[variables]\n";
    let app = App::read(Path::new("spin.toml"), &MANIFEST.replace("[variables]\n", list))?;
    let check = |value: &str, expected: Expect| {
        let overrides = map(&[("token", "t"), ("name", value)]);
        let found = Variables::new(&app, overrides, &RuntimeConfig::default(), &map(&[]));
        let findings = found.err().map(|findings| findings.to_string()).unwrap_or_default();
        assert!(value.is_empty() || !findings.contains(value), "{findings}");
        expected.assert_eq(&fold(&findings));
    };
    check("you", expect![""]);
    for near in ["You", "you ", "YOU\n"] {
        check(
            near,
            expect![[r#"
                spin.toml:7:1: the value of `name` (from --variable) is none that it may have
                  7 | name = { default = "from the manifest" }
                  help: write you, exactly so; it is one of me, you"#]],
        );
    }
    for other in ["", "hunter2"] {
        check(
            other,
            expect![[r#"
                spin.toml:7:1: the value of `name` (from --variable) is none that it may have
                  7 | name = { default = "from the manifest" }
                  help: it is one of me, you"#]],
        );
    }
    let found = |config: &RuntimeConfig, environment: &[(&str, &str)]| {
        let found = Variables::new(&app, map(&[("token", "t")]), config, &map(environment));
        found.err().map(|findings| findings.to_string()).unwrap_or_default()
    };
    let given = |found: &str, how: &str| {
        assert!(found.contains(&format!("`name` ({how}) is none")), "{found}");
    };
    let none = RuntimeConfig { dotenv_path: None, ..RuntimeConfig::default() };
    given(&found(&none, &[]), "its default");
    let environment = [("SPIN_VARIABLE_NAME", "x")];
    let how = "from SPIN_VARIABLE_NAME in the environment or the .env file";
    given(&found(&none, &environment), how);
    let provider = VariablesProvider::Static { values: map(&[("name", "x")]) };
    let config = RuntimeConfig { variables_providers: vec![provider], ..none };
    given(&found(&config, &[]), "from [[variables_provider]] number 1");
    Ok(())
}

#[test]
fn a_file_that_was_named_and_is_not_there_is_a_warning() -> Result<(), Failure> {
    let provider =
        |path: &Path| VariablesProvider::Env { prefix: None, dotenv_path: Some(path.to_owned()) };
    let directory = tempfile::tempdir()?;
    let there = directory.path().join("there.env");
    std::fs::write(&there, "A=b\n")?;
    let warnings = |path: &Path| -> Result<Vec<String>, Failure> {
        let variables_providers = vec![provider(path)];
        let config = RuntimeConfig { variables_providers, ..RuntimeConfig::default() };
        let variables = Variables::new(&app()?, map(&[("token", "t")]), &config, &map(&[]))?;
        Ok(variables.warnings().iter().map(|warning| warning.problem.clone()).collect())
    };
    assert_eq!(warnings(&there)?, ["this .env file has none of the application's variables"]);
    std::fs::write(&there, "A=b\nSPIN_VARIABLE_TOKEN=t\n")?;
    assert!(warnings(&there)?.is_empty());
    assert_eq!(warnings(&directory.path().join("gone.env"))?, ["there is no such .env file"]);
    Ok(())
}

#[test]
fn hosts_are_checked_again_with_real_values() -> Result<(), Failure> {
    let variables = resolve(&[("token", "t"), ("host", "db.example:99")], "", &[])?;
    let hosts = variables.allowed_hosts(&app()?, "a", &BTreeSet::new())?;
    assert!(hosts.allows("postgres", "db.example", 99));
    assert!(!hosts.allows("postgres", "127.0.0.1", 5432));
    // A variable may hold several, as it does where a database has replicas.
    let several = resolve(&[("token", "t"), ("host", "db1:99,[::1]:98")], "", &[])?;
    let several = several.allowed_hosts(&app()?, "a", &BTreeSet::new())?;
    assert!(several.allows("postgres", "db1", 99) && several.allows("postgres", "::1", 98));
    assert!(!several.allows("postgres", "db1", 98));
    let withheld = BTreeSet::from(["postgres://{{ host }}".to_owned()]);
    let hosts = variables.allowed_hosts(&app()?, "a", &withheld)?;
    assert!(!hosts.allows("postgres", "db.example", 99));

    let variables = resolve(&[("token", "t"), ("host", "u:hunter2@h")], "", &[])?;
    let shown = match variables.allowed_hosts(&app()?, "a", &BTreeSet::new()) {
        Ok(hosts) => format!("{hosts:?}"),
        Err(findings) => findings.to_string(),
    };
    expect![[r#"
        spin.toml:13:27: with the values of its variables, this is no allowed host
          13 | allowed_outbound_hosts = ["postgres://{{ host }}"]
          help: leave out everything up to the `@`; the address the component opens
        … carries it"#]]
    .assert_eq(&fold(&shown));
    Ok(())
}

#[test]
fn overrides_in_every_form() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> Result<String, std::io::Error> {
        let path = directory.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let text = file("text", "whole\nfile\n")?;
    let json = file("v.json", "{\"a\": \"json\", \"b\": \"json\"}")?;
    let toml = file("v.toml", "b = 'toml'")?;
    let options = [
        "x=1".to_owned(),
        "x=2=3".to_owned(),
        format!("y=@{text}"),
        format!("@{json}"),
        format!("@{toml}"),
    ];
    let expected = map(&[("a", "json"), ("b", "toml"), ("x", "2=3"), ("y", "whole\nfile\n")]);
    assert_eq!(read_overrides(options)?, expected);

    let bad = file("bad.json", "{\"a\": hunter2}")?;
    let other = file("v.yaml", "")?;
    let check = |option: &str, expected: Expect| {
        let shown = match read_overrides([option]) {
            Ok(values) => format!("{values:?}"),
            Err(error) => error.to_string(),
        };
        let here = directory.path().display().to_string();
        expected.assert_eq(&fold(&shown.replace(&here, "DIR")));
    };
    check(
        "hunter2",
        expect!["a variable is given as NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml"],
    );
    check(
        "Not-A-Name=hunter2",
        expect![[r#"
        `Not-A-Name` is no variable name: a variable name has only lower-case letters,
        … digits and underscores"#]],
    );
    check(
        "postgres://me:hunter2@h/d?a=b",
        expect![[r#"
        `postgres://…@h/d?a` is no variable name: a variable name has only lower-case
        … letters, digits and underscores"#]],
    );
    check(
        &format!("@{bad}"),
        expect!["DIR/bad.json: must hold one table of variable names to strings"],
    );
    check(&format!("@{other}"), expect!["DIR/v.yaml: a file of variables ends in .json or .toml"]);
    check("x=@/nowhere/at/all", expect!["/nowhere/at/all: cannot be read (entity not found)"]);
    Ok(())
}
