//! `runtime-config.toml`: Spin's keys, and nothing else.

use std::net::IpAddr;
use std::path::Path;

use expect_test::{Expect, expect, expect_file};
use ward_manifest::{Findings, OutboundHttp, RuntimeConfig};

use crate::fold::fold;

fn check(text: &str, expected: Expect) {
    let shown = match RuntimeConfig::read(Path::new("conf/runtime-config.toml"), text) {
        Ok(config) => format!("{:?} {:#?}", config.variables_providers, config.warnings),
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&fold(&shown));
}

#[test]
fn nothing_is_the_default() {
    let empty = RuntimeConfig::read(Path::new("runtime-config.toml"), "");
    assert_eq!(empty, Ok(RuntimeConfig::default()));
}

#[test]
fn every_key_ward_supports() -> Result<(), Findings> {
    let text = include_str!("every-key.toml");
    let config = RuntimeConfig::read(Path::new("conf/runtime-config.toml"), text)?;
    expect_file!["snapshots/every-key.txt"].assert_eq(&format!("{config:#?}\n"));
    Ok(())
}

#[test]
fn the_repositorys_own_is_what_spin_reads_and_changes_nothing() -> Result<(), Findings> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../runtime-config.toml");
    assert_eq!(RuntimeConfig::load(Path::new(path))?, RuntimeConfig::default());
    // What is commented out would be read, too.
    let text = std::fs::read_to_string(path).unwrap();
    let setting = |line: &str| line.contains(" = ") || line.starts_with('[');
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if setting(rest) && !rest.starts_with("HOSPITAL_") => rest,
        _ => line,
    });
    let all = lines.collect::<Vec<_>>().join("\n");
    let config = RuntimeConfig::read(Path::new("runtime-config.toml"), &all)?;
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(config.state_dir.is_some() && config.variables_providers.len() == 1);
    Ok(())
}

#[test]
fn pooling_stays_on_in_a_section_without_the_key() -> Result<(), Findings> {
    let text = "config_provider = []\n[outbound_http]\nmax_connections = 0";
    let config = RuntimeConfig::read(Path::new("r.toml"), text)?;
    let expected = OutboundHttp { connection_pooling: true, connections_max: Some(0) };
    assert_eq!(config.outbound_http, expected);
    Ok(())
}

#[test]
fn unknown_keys_and_types() {
    check(
        r#"
statedir = "x"
state_dir = 5
max_instance_memory = -1
[outbound_pg]
max_conections = 5
[outbound_http]
max_concurrent_requests = 5
[[variables_provider]]
type = "enf"
[[variables_provider]]
prefix = "x"
[key_value_store]
a = { type = "spun" }
b = { type = "redis", url = "redis://:hunter2@x" }
c = { type = "spin", pth = "x" }
d = 5
[outbound_networking]
block_networks = ["10.0.0.0/40", "privat"]
"#,
        expect![[r#"
            conf/runtime-config.toml:2:1: unknown key `statedir`
              2 | statedir = "…"
              help: did you mean `state_dir`?
            conf/runtime-config.toml:3:13: `state_dir` must be a string, and this is an
            … integer
              3 | state_dir = 5
            conf/runtime-config.toml:4:23: `max_instance_memory` must not be negative
              4 | max_instance_memory = -1
            conf/runtime-config.toml:6:1: unknown key `max_conections`
              6 | max_conections = "…"
              help: did you mean `max_connections`?
            conf/runtime-config.toml:8:1: `max_concurrent_requests` is the old name, which
            … Ward does not read
              8 | max_concurrent_requests = 5
              help: write `max_connections`, with the number one higher
            conf/runtime-config.toml:10:8: there is no variables provider of type "enf"
              10 | type = "enf"
              help: did you mean `env`?
            conf/runtime-config.toml:11:1: `type` is missing here; it must be a string
              11 | [[variables_provider]]
            conf/runtime-config.toml:14:14: there is no key-value store of type "spun"
              14 | a = { type = "spun" }
              help: use type = "spin", a file on this machine
            conf/runtime-config.toml:15:14: key-value stores in `redis` are not supported
            … by Ward yet
              15 | b = { type = "redis", url = "…" }
              help: use type = "spin", a file on this machine
            conf/runtime-config.toml:16:22: unknown key `pth`
              16 | c = { type = "spin", pth = "…" }
              help: did you mean `path`?
            conf/runtime-config.toml:17:5: `d` must be a table, and this is an integer
              17 | d = "…"
            conf/runtime-config.toml:19:19: "10.0.0.0/40" is no network
              19 | block_networks = ["10.0.0.0/40", "privat"]
              help: write a network such as "10.0.0.0/8", or "private"
            conf/runtime-config.toml:19:34: "privat" is no network
              19 | block_networks = ["10.0.0.0/40", "privat"]
              help: write a network such as "10.0.0.0/8", or "private""#]],
    );
}

#[test]
fn what_ward_does_not_support_yet() {
    check(
        r#"
state_dir = ""
[[variables_provider]]
type = "vault"
url = "http://127.0.0.1:8200"
token = "hunter2"
[[variables_provider]]
type = "azure_key_vault"
[sqlite_database.default]
type = "spin"
[llm_compute]
type = "spin"
[outbound_redis]
max_connections = 1
[[client_tls]]
component_ids = ["x"]
"#,
        expect![[r#"
            conf/runtime-config.toml:2:13: an empty `state_dir`, to keep nothing, is not
            … supported by Ward yet
              2 | state_dir = ""
              help: leave the key out
            conf/runtime-config.toml:4:8: variables from `vault` are not supported by Ward
            … yet
              4 | type = "vault"
              help: use a provider of type "env" or "static"
            conf/runtime-config.toml:8:8: variables from `azure_key_vault` are not
            … supported by Ward yet
              8 | type = "azure_key_vault"
              help: use a provider of type "env" or "static"
            conf/runtime-config.toml:9:2: `sqlite_database` is not supported by Ward yet
              9 | [sqlite_database.default]
            conf/runtime-config.toml:11:2: `llm_compute` is not supported by Ward yet
              11 | [llm_compute]
            conf/runtime-config.toml:13:2: `outbound_redis` is not supported by Ward yet
              13 | [outbound_redis]
            conf/runtime-config.toml:15:3: `client_tls` is not supported by Ward yet
              15 | [[client_tls]]"#]],
    );
}

#[test]
fn no_secret_is_shown() {
    check(
        "[[variables_provider]]\ntype = 'static'\nvalues = { Key = 'hunter2' }",
        expect![[r#"
            [Static { values: ["Key"] }] [
                Finding {
                    file: "conf/runtime-config.toml",
                    line: 3,
                    column: 12,
                    excerpt: "values = { Key = \"…\" }",
                    problem: "`Key` is no variable name: a variable name has only
            … lower-case letters, digits and underscores",
                    help: Some(
                        "no variable gets this value",
                    ),
                },
            ]"#]],
    );
    check(
        "[[variables_provider]]\ntype = 'static'\nvalue = { path = 'hunter2' }",
        expect![[r#"
        conf/runtime-config.toml:1:1: `values` is missing here; it must be a table of
        … variable names to strings
          1 | [[variables_provider]]
        conf/runtime-config.toml:3:1: unknown key `value`
          3 | value = { path = "…" }
          help: did you mean `values`?"#]],
    );
    check(
        "[[variable_provider]]\nvalues = { path = 'hunter2' }",
        expect![[r#"
        conf/runtime-config.toml:1:3: unknown key `variable_provider`
          1 | [[variable_provider]]
          help: did you mean `variables_provider`?"#]],
    );
    check(
        "[[variables_provider]]\nvalues = { path = 'hunter2",
        expect![[r#"
        conf/runtime-config.toml:2:27: this is not TOML: unclosed inline table,
        … expected `}`
        conf/runtime-config.toml:2:27: this is not TOML: invalid literal string,
        … expected `'`"#]],
    );
    check(
        "state_dir = ['hunter2']\npassword = 'hunter2'",
        expect![[r#"
        conf/runtime-config.toml:1:13: `state_dir` must be a string, and this is an
        … array
          1 | state_dir = ['hunter2']
        conf/runtime-config.toml:2:1: unknown key `password`
          2 | password = "…"
          help: the keys here are state_dir, log_dir, max_instance_memory,
        … variables_provider, config_provider, key_value_store, sqlite_database,
        … llm_compute, outbound_http, outbound_pg, outbound_mysql, outbound_redis,
        … outbound_mqtt, outbound_networking, client_tls"#]],
    );
}

#[test]
fn blocked_networks() -> Result<(), Box<dyn std::error::Error>> {
    let blocked = |networks: &str, address: &str| -> Result<bool, Box<dyn std::error::Error>> {
        let text = format!("[outbound_networking]\nblock_networks = {networks}");
        let config = RuntimeConfig::read(Path::new("r.toml"), &text)?;
        Ok(config.outbound_networking.blocks(address.parse::<IpAddr>()?))
    };
    let private = [
        "127.0.0.1",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "ff02::1",
        "255.255.255.255",
    ];
    for address in private {
        assert!(blocked("['private']", address)?, "{address}");
        assert!(!blocked("[]", address)?, "{address}");
    }
    for address in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "100.128.0.1"] {
        assert!(!blocked("['private']", address)?, "{address}");
    }
    assert!(blocked("['8.8.0.0/16']", "8.8.4.4")?);
    assert!(blocked("['8.8.0.0/16']", "::ffff:8.8.4.4")?);
    assert!(!blocked("['8.8.0.0/16']", "8.9.4.4")?);
    Ok(())
}
