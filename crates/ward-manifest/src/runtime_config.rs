//! `runtime-config.toml`, with exactly Spin's keys (reference section 4): where variables and
//! stores come from, and limits on what goes out. Settings of Ward's own have no place in it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::finding::{Finding, Findings};
use crate::names::{advice, declared_variable_flaw};
use crate::networks::OutboundNetworking;
use crate::toml_file::{Report, Section, Value, syntax_finding};

/// A runtime configuration that passed every check; `default()` is the one of no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// `state_dir`; `None` when the file has none (Spin then takes `.spin` beside the manifest).
    pub state_dir: Option<PathBuf>,
    /// `log_dir`; `None` when the file has none.
    pub log_dir: Option<PathBuf>,
    /// `max_instance_memory`: bytes one instance may have.
    pub max_instance_memory_bytes: Option<u64>,
    /// `[[variables_provider]]` in the order of the file.
    pub variables_providers: Vec<VariablesProvider>,
    /// The file that `SPIN_VARIABLE_…` are also looked up in, if it exists: `.env` in the working
    /// directory, as in Spin. No key of the file sets it.
    pub dotenv_path: Option<PathBuf>,
    /// `[key_value_store.<label>]` by label. A label that is not here but is `default` has its
    /// store in the state directory.
    pub key_value_stores: BTreeMap<String, KeyValueStore>,
    /// `[outbound_http]`.
    pub outbound_http: OutboundHttp,
    /// `[outbound_pg] max_connections`: connections that guests may hold open at once.
    pub outbound_pg_connections_max: Option<usize>,
    /// `[outbound_networking]`.
    pub outbound_networking: OutboundNetworking,
    /// What is odd in the file but does not stop it.
    pub warnings: Vec<Finding>,
}

impl Default for RuntimeConfig {
    fn default() -> RuntimeConfig {
        RuntimeConfig {
            state_dir: None,
            log_dir: None,
            max_instance_memory_bytes: None,
            variables_providers: Vec::new(),
            dotenv_path: Some(PathBuf::from(".env")),
            key_value_stores: BTreeMap::new(),
            outbound_http: OutboundHttp::default(),
            outbound_pg_connections_max: None,
            outbound_networking: OutboundNetworking::default(),
            warnings: Vec::new(),
        }
    }
}

/// One `[[variables_provider]]`.
#[derive(Clone, PartialEq, Eq)]
pub enum VariablesProvider {
    /// `type = "static"`: the values stand in the file.
    Static {
        /// By variable name.
        values: BTreeMap<String, String>,
    },
    /// `type = "env"`: `<prefix>_<NAME>` in the environment.
    Env {
        /// `prefix`; `SPIN_VARIABLE` when there is none.
        prefix: Option<String>,
        /// `dotenv_path`: a file looked up after the environment.
        dotenv_path: Option<PathBuf>,
    },
}

impl fmt::Debug for VariablesProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VariablesProvider::Static { values } => {
                f.debug_struct("Static").field("values", &values.keys()).finish()
            }
            VariablesProvider::Env { prefix, dotenv_path } => f
                .debug_struct("Env")
                .field("prefix", prefix)
                .field("dotenv_path", dotenv_path)
                .finish(),
        }
    }
}

/// One `[key_value_store.<label>]` of type `spin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValueStore {
    /// `path`, resolved against the directory of the file; without one the store is in memory
    /// and gone when Ward stops, as in Spin.
    pub path: Option<PathBuf>,
}

/// `[outbound_http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundHttp {
    /// `connection_pooling`: whether connections are kept; true by default, as documented.
    pub connection_pooling: bool,
    /// `max_connections`: connections at once; 0 allows none.
    pub connections_max: Option<usize>,
}

impl Default for OutboundHttp {
    fn default() -> OutboundHttp {
        OutboundHttp { connection_pooling: true, connections_max: None }
    }
}

/// The keys whose values may be shown; all others may be, or sit beside, a secret.
const HARMLESS: &[&str] = &[
    "state_dir",
    "log_dir",
    "variables_provider.type",
    "variables_provider.prefix",
    "variables_provider.dotenv_path",
    "config_provider.type",
    "config_provider.prefix",
    "config_provider.dotenv_path",
    "key_value_store.*.type",
    "key_value_store.*.path",
    "outbound_networking.block_networks",
    "outbound_networking.max_socket_connections",
    "outbound_networking.max_total_connections",
    "outbound_http.connection_pooling",
    "outbound_http.max_connections",
    "outbound_http.max_concurrent_requests",
    "outbound_pg.max_connections",
    "max_instance_memory",
];

const KEYS: &[&str] = &[
    "state_dir",
    "log_dir",
    "max_instance_memory",
    "variables_provider",
    "config_provider",
    "key_value_store",
    "sqlite_database",
    "llm_compute",
    "outbound_http",
    "outbound_pg",
    "outbound_mysql",
    "outbound_redis",
    "outbound_mqtt",
    "outbound_networking",
    "client_tls",
];

/// Keys Spin knows and Ward has nothing for.
const UNSUPPORTED: &[&str] = &[
    "sqlite_database",
    "llm_compute",
    "outbound_mysql",
    "outbound_redis",
    "outbound_mqtt",
    "client_tls",
];

impl RuntimeConfig {
    /// Reads and checks a runtime configuration. Everything that is wrong is in the findings, in
    /// the order of the file, and no value that may be a secret.
    pub fn load(path: &Path) -> Result<RuntimeConfig, Findings> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let problem = format!("the runtime configuration cannot be read ({})", error.kind());
            Finding::about_file(path, problem)
        })?;
        RuntimeConfig::read(path, &text)
    }

    /// Like [`RuntimeConfig::load`], from text; `file` is what findings call it, and its directory
    /// is where the paths of stores start.
    pub fn read(file: &Path, text: &str) -> Result<RuntimeConfig, Findings> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            // A line that cannot be read may be the middle of a secret: none is shown.
            let findings = errors.iter().map(|error| Finding {
                excerpt: String::new(),
                ..syntax_finding(file, text, error)
            });
            return Err(Findings(findings.collect()));
        }
        let report = Report::new(file, text);
        let root = Section::new(&report, 0..0, root.get_ref());
        hide_secrets(&root);
        let config = read_root(&root, file.parent().unwrap_or(Path::new("")));
        match report.finish() {
            (errors, warnings) if errors.is_empty() => Ok(RuntimeConfig { warnings, ..config }),
            (errors, _) => Err(Findings(errors)),
        }
    }
}

fn hide_secrets(root: &Section<'_>) {
    for (key, value) in root.entries() {
        hide_below(root.report, key.value, value);
    }
}

/// Hides every value whose path is not in `HARMLESS`; the items of a list have the list's path.
fn hide_below(report: &Report<'_>, path: &str, value: Value<'_>) {
    if let Some(table) = value.get_ref().as_table() {
        for (key, value) in table {
            let key = if path == "key_value_store" { "*" } else { key.get_ref().as_ref() };
            hide_below(report, &format!("{path}.{key}"), value);
        }
    } else if let Some(items) = value.get_ref().as_array() {
        items.iter().for_each(|item| hide_below(report, path, item));
    } else if !HARMLESS.contains(&path) {
        report.hide_values(value);
    }
}

fn read_root(root: &Section<'_>, directory: &Path) -> RuntimeConfig {
    root.only(KEYS);
    for key in UNSUPPORTED.iter().filter(|key| root.has(key)) {
        root.error(&root.key_span(key), format!("`{key}` is not supported by Ward yet"));
    }
    RuntimeConfig {
        state_dir: read_directory(root, "state_dir"),
        log_dir: read_directory(root, "log_dir"),
        max_instance_memory_bytes: root.count("max_instance_memory").map(|bytes| bytes as u64),
        variables_providers: read_providers(root),
        key_value_stores: read_stores(root, directory),
        outbound_http: read_outbound_http(root),
        outbound_pg_connections_max: root.section("outbound_pg").and_then(|section| {
            section.only(&["max_connections"]);
            section.count("max_connections")
        }),
        outbound_networking: OutboundNetworking::read(root),
        ..RuntimeConfig::default()
    }
}

fn read_directory(root: &Section<'_>, key: &str) -> Option<PathBuf> {
    let path = root.text(key)?;
    if path.value.is_empty() {
        let problem = format!("an empty `{key}`, to keep nothing, is not supported by Ward yet");
        root.report.error_help(&path.span, problem, "leave the key out".to_owned());
    }
    Some(PathBuf::from(path.value))
}

fn read_providers(root: &Section<'_>) -> Vec<VariablesProvider> {
    if root.has("variables_provider") && root.has("config_provider") {
        let problem = "`config_provider` is the old name of `variables_provider`; use one of them";
        root.error(&root.key_span("config_provider"), problem);
    }
    let key = if root.has("variables_provider") { "variables_provider" } else { "config_provider" };
    let items = root.list(key, &format!("written as [[{key}]]"));
    let sections = items.iter().filter_map(|item| root.section_of(item, "a provider"));
    sections.filter_map(|section| read_provider(&section)).collect()
}

fn read_provider(section: &Section<'_>) -> Option<VariablesProvider> {
    let kind = section.required_text("type")?;
    match kind.value {
        "static" => {
            section.only(&["type", "values"]);
            if !section.has("values") {
                section.missing("values", "a table of variable names to strings");
            }
            let values = section.text_map("values");
            for (name, _) in &values {
                if let Some(flaw) = declared_variable_flaw(name.value) {
                    let problem = format!("`{}` is no variable name: {flaw}", name.value);
                    section.report.warn(&name.span, problem, "no variable gets this value");
                }
            }
            let owned = values.iter().map(|(n, v)| (n.value.to_owned(), v.value.to_owned()));
            Some(VariablesProvider::Static { values: owned.collect() })
        }
        "env" => {
            section.only(&["type", "prefix", "dotenv_path"]);
            Some(VariablesProvider::Env {
                prefix: section.string("prefix"),
                dotenv_path: section.string("dotenv_path").map(PathBuf::from),
            })
        }
        "vault" | "azure_key_vault" => {
            let problem = format!("variables from `{}` are not supported by Ward yet", kind.value);
            let help = "use a provider of type \"env\" or \"static\"";
            section.report.error_help(&kind.span, problem, help.to_owned());
            None
        }
        other => {
            let problem = format!("there is no variables provider of type {other:?}");
            section.report.error_help(&kind.span, problem, advice(other, ["env", "static"]));
            None
        }
    }
}

fn read_stores(root: &Section<'_>, directory: &Path) -> BTreeMap<String, KeyValueStore> {
    let mut stores = BTreeMap::new();
    for (label, section) in root.sections("key_value_store") {
        let Some(kind) = section.required_text("type") else { continue };
        if kind.value == "spin" {
            section.only(&["type", "path"]);
            let path = section.text("path").map(|path| directory.join(path.value));
            stores.insert(label.value.to_owned(), KeyValueStore { path });
        } else {
            let known = ["redis", "azure_cosmos", "aws_dynamo"].contains(&kind.value);
            let problem = if known {
                format!("key-value stores in `{}` are not supported by Ward yet", kind.value)
            } else {
                format!("there is no key-value store of type {:?}", kind.value)
            };
            let help = "use type = \"spin\", a file on this machine".to_owned();
            section.report.error_help(&kind.span, problem, help);
        }
    }
    stores
}

fn read_outbound_http(root: &Section<'_>) -> OutboundHttp {
    let mut settings = OutboundHttp::default();
    let Some(section) = root.section("outbound_http") else { return settings };
    section.only(&["connection_pooling", "max_connections", "max_concurrent_requests"]);
    if let Some(pooling) = section.flag("connection_pooling") {
        settings.connection_pooling = pooling;
    }
    settings.connections_max = section.count("max_connections");
    if section.has("max_concurrent_requests") {
        let span = section.key_span("max_concurrent_requests");
        let problem = "`max_concurrent_requests` is the old name, which Ward does not read";
        let help = "write `max_connections`, with the number one higher".to_owned();
        section.report.error_help(&span, problem, help);
    }
    settings
}
