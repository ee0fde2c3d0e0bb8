//! `[application.tool.ward]` and `[component.<id>.tool.ward]`: settings of Ward's own, in the
//! places that real Spin leaves alone.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use crate::app::{ComponentSettings, Database, InheritedOnly, KeyValueKind, Settings};
use crate::grpc::TlsFiles;
use crate::listen::listen_address;
use crate::names::{advice, label_flaw};
use crate::networks::read_network;
use crate::origin::read_origin;
use crate::toml_file::{Section, Span, Text};
use crate::units::{duration, size_bytes};

use super::application::tool_ward;
use super::start::{self, StartDraft};
use super::users;

/// `[application.tool.ward]`, with what it refers to not looked up yet.
#[derive(Default)]
pub(super) struct SettingsDraft<'a> {
    /// Everything but `listeners`.
    pub(super) settings: Settings,
    pub(super) listeners: Vec<(Text<'a>, SocketAddr)>,
    pub(super) start: StartDraft<'a>,
    /// The trigger behind which users are.
    pub(super) users_trigger: Option<Text<'a>>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: LISTEN,
            listeners: BTreeMap::new(),
            tls: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            peer_share_percent: PEER_SHARE_PERCENT,
            database_host: None,
            key_pairs: Vec::new(),
            one_of: BTreeMap::new(),
            guide: None,
            demo_guide: None,
            users: None,
            guest_memory_bytes: None,
            key_value: BTreeMap::new(),
        }
    }
}

/// With a quarter, three addresses that take all they can leave the fourth its own.
const PEER_SHARE_PERCENT: u8 = 25;

/// The gateway's address where the manifest gives none.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4004);

const MEMORY_LIMIT_BYTES: u64 = 128 << 20;
const DEADLINE: Duration = Duration::from_secs(30);
// The three of instance reuse are the defaults of `wasmtime serve` and of Spin.
const INSTANCE_REUSE_MAX: u32 = 128;
const INSTANCE_CONCURRENCY_MAX: u32 = 16;
const INSTANCE_IDLE: Duration = Duration::from_secs(1);

/// A wasm memory cannot be larger with 32-bit addresses.
const MEMORY_LIMIT_BYTES_MAX: u64 = 4 << 30;
/// One page, the least a wasm memory that holds anything has.
const MEMORY_LIMIT_BYTES_MIN: u64 = 64 << 10;

/// With less there would be no instance: a Rust guest begins with more than this.
const GUEST_MEMORY_BYTES_MIN: u64 = 1 << 20;
/// More than instances can have: 1000 of them, at most 1 GiB each on average.
const GUEST_MEMORY_BYTES_MAX: u64 = 1 << 40;

impl Default for ComponentSettings {
    fn default() -> ComponentSettings {
        ComponentSettings {
            memory_limit_bytes: MEMORY_LIMIT_BYTES,
            deadline: DEADLINE,
            stream_deadline: DEADLINE,
            instance_reuse_max: INSTANCE_REUSE_MAX,
            instance_concurrency_max: INSTANCE_CONCURRENCY_MAX,
            concurrent_requests_max: None,
            instance_idle: INSTANCE_IDLE,
            spin_headers: true,
            database: None,
            inherited_only: InheritedOnly::default(),
        }
    }
}

/// The keys of `[application.tool.ward]` that are read here.
const KEYS: [&str; 8] = [
    "listen",
    "listeners",
    "tls",
    "trusted_proxies",
    "cors_origins",
    "peer_share_percent",
    "guest_memory",
    "key_value",
];

pub(super) fn read_application_settings<'a>(
    application: &Section<'a>,
    root: &Path,
) -> SettingsDraft<'a> {
    let mut draft = SettingsDraft::default();
    let Some(ward) = tool_ward(application) else { return draft };
    ward.only(&[&KEYS[..], &start::KEYS, &["users"]].concat());
    if let Some(text) = ward.text("listen") {
        draft.settings.listen = address(&ward, &text).unwrap_or(LISTEN);
    }
    for (id, text) in ward.text_map("listeners") {
        if let Some(address) = address(&ward, &text) {
            draft.listeners.push((id, address));
        }
    }
    draft.settings.tls = ward.section("tls").and_then(|tls| read_tls(&tls, root));
    let proxies = ward.texts("trusted_proxies");
    let proxies = proxies.iter().filter_map(|text| read_network(&ward, text, NETWORK_HELP));
    draft.settings.trusted_proxies = proxies.collect();
    let origins = ward.texts("cors_origins");
    draft.settings.cors_origins =
        origins.iter().filter_map(|text| read_origin(&ward, text)).collect();
    if let Some(percent) = percent(&ward, "peer_share_percent") {
        draft.settings.peer_share_percent = percent;
    }
    draft.start = start::read(&ward, root, &mut draft.settings);
    if let Some((users, trigger)) = users::read(&ward) {
        draft.settings.users = Some(users);
        draft.users_trigger = Some(trigger);
    }
    draft.settings.key_value = read_stores(&ward);
    let memory = GUEST_MEMORY_BYTES_MIN..=GUEST_MEMORY_BYTES_MAX;
    draft.settings.guest_memory_bytes = size_at(&ward, "guest_memory", memory, "1MiB and 1024GiB");
    draft
}

/// `key_value`: where stores are kept, by label.
fn read_stores(ward: &Section<'_>) -> BTreeMap<String, KeyValueKind> {
    let mut stores = BTreeMap::new();
    for (label, kind) in ward.text_map("key_value") {
        if let Some(flaw) = label_flaw(label.value) {
            ward.error(&label.span, format!("{:?} is no label: {flaw}", label.value));
        }
        let known = match kind.value {
            "file" => KeyValueKind::File,
            "postgres" => KeyValueKind::Postgres,
            other => {
                let problem = format!("key-value stores are not kept in {other:?}");
                let help = advice(other, ["file", "postgres"]);
                ward.report.error_help(&kind.span, problem, help);
                continue;
            }
        };
        stores.insert(label.value.to_owned(), known);
    }
    stores
}

/// How a network is written where there are no names for some.
const NETWORK_HELP: &str = "write an address or a network, such as \"10.0.0.0/8\"";

/// `tls`: a certificate and its key.
pub(super) fn read_tls(tls: &Section<'_>, root: &Path) -> Option<TlsFiles> {
    tls.only(&["cert", "key"]);
    let (cert, key) = (tls.required_text("cert"), tls.required_text("key"));
    Some(TlsFiles { cert: root.join(cert?.value), key: root.join(key?.value) })
}

fn percent(ward: &Section<'_>, key: &str) -> Option<u8> {
    let (number, span) = ward.integer(key)?;
    let percent = u8::try_from(number).ok().filter(|percent| (1..=100).contains(percent));
    if percent.is_none() {
        ward.error(&span, format!("`{key}` must be between 1 and 100"));
    }
    percent
}

pub(super) fn address(section: &Section<'_>, text: &Text<'_>) -> Option<SocketAddr> {
    let address = listen_address(text.value);
    if address.is_none() {
        let problem = format!("{:?} is not an address to listen on", text.value);
        let help = "write an IP address and a port, as in \"127.0.0.1:4004\"";
        section.report.error_help(&text.span, problem, help.to_owned());
    }
    address
}

/// A component's settings, with what they refer to not looked up yet.
#[derive(Default)]
pub(super) struct ComponentSettingsDraft<'a> {
    /// Everything but `inherited_only`, whose entries are below.
    pub(super) settings: ComponentSettings,
    /// The variable its database names.
    pub(super) database_variable: Option<Text<'a>>,
    /// `inherited_only.variables`.
    pub(super) inherited_variables: Vec<Text<'a>>,
    /// `inherited_only.allowed_outbound_hosts`.
    pub(super) inherited_hosts: Vec<Text<'a>>,
}

/// Reads a component's settings.
pub(super) fn read_component_settings<'a>(
    component: &Section<'a>,
    root: &Path,
) -> ComponentSettingsDraft<'a> {
    let mut draft = ComponentSettingsDraft::default();
    let Some(ward) = tool_ward(component) else { return draft };
    ward.only(&[
        "memory_limit",
        "deadline",
        "stream_deadline",
        "max_instance_reuse_count",
        "max_instance_concurrent_reuse_count",
        "max_concurrent_requests",
        "idle_instance_timeout",
        "spin_headers",
        "database",
        "inherited_only",
    ]);
    read_limits(&ward, &mut draft.settings);
    if let Some(section) = ward.section("inherited_only") {
        section.only(&["variables", "allowed_outbound_hosts"]);
        draft.inherited_variables = section.texts("variables");
        draft.inherited_hosts = section.texts("allowed_outbound_hosts");
    }
    if let Some(section) = ward.section("database") {
        draft.database_variable = section.required_text("variable");
        draft.settings.database = read_database(&section, draft.database_variable.as_ref(), root);
    }
    draft
}

fn read_limits(ward: &Section<'_>, settings: &mut ComponentSettings) {
    let memory = MEMORY_LIMIT_BYTES_MIN..=MEMORY_LIMIT_BYTES_MAX;
    if let Some(bytes) = size_at(ward, "memory_limit", memory, "64KiB and 4GiB") {
        settings.memory_limit_bytes = bytes;
    }
    if let Some((deadline, span)) = duration_at(ward, "deadline") {
        if deadline.is_zero() {
            ward.error(&span, "with a `deadline` of zero no request could be answered");
        }
        settings.deadline = deadline;
        settings.stream_deadline = deadline;
    }
    if let Some((deadline, span)) = duration_at(ward, "stream_deadline") {
        if deadline.is_zero() {
            ward.error(&span, "with a `stream_deadline` of zero no response could have a body");
        }
        settings.stream_deadline = deadline;
    }
    if let Some((idle, _)) = duration_at(ward, "idle_instance_timeout") {
        settings.instance_idle = idle;
    }
    if let Some(count) = positive(ward, "max_instance_reuse_count") {
        settings.instance_reuse_max = count;
    }
    if let Some(count) = positive(ward, "max_instance_concurrent_reuse_count") {
        settings.instance_concurrency_max = count;
    }
    settings.concurrent_requests_max = positive(ward, "max_concurrent_requests");
    settings.spin_headers = ward.flag("spin_headers").unwrap_or(true);
}

/// Reads a size in bytes; `bounds` is how messages write `limits`.
pub(super) fn size_at(
    section: &Section<'_>,
    key: &str,
    limits: RangeInclusive<u64>,
    bounds: &str,
) -> Option<u64> {
    let value = section.value(key)?;
    let span = value.span();
    let bytes = match value.get_ref().as_str() {
        Some(text) => size_bytes(text),
        None if value.get_ref().is_integer() => {
            section.integer(key).and_then(|(bytes, _)| u64::try_from(bytes).ok())
        }
        None => None,
    };
    let bytes = bytes.filter(|bytes| limits.contains(bytes));
    if bytes.is_none() {
        let problem = format!("`{key}` must be a size between {bounds}");
        let help = "write a number of bytes, or a string such as \"1MiB\"";
        section.report.error_help(&span, problem, help.to_owned());
    }
    bytes
}

/// A duration, with the place of its text.
pub(super) fn duration_at(ward: &Section<'_>, key: &str) -> Option<(Duration, Span)> {
    let text = ward.text(key)?;
    let read = duration(text.value);
    if read.is_none() {
        let problem = format!("`{key}` must be a duration, and {:?} is none", text.value);
        let help = "write a number with ms, s, m or h, as in \"30s\"";
        ward.report.error_help(&text.span, problem, help.to_owned());
    }
    Some((read?, text.span))
}

/// A number that counts something there has to be.
pub(super) fn positive(ward: &Section<'_>, key: &str) -> Option<u32> {
    let (number, span) = ward.integer(key)?;
    let count = u32::try_from(number).ok().filter(|count| *count > 0);
    if count.is_none() {
        ward.error(&span, format!("`{key}` must be at least 1 and fit 32 bits"));
    }
    count
}

fn read_database(
    section: &Section<'_>,
    variable: Option<&Text<'_>>,
    root: &Path,
) -> Option<Database> {
    section.only(&["name", "variable", "migrations", "demo", "append_only", "read_only", "prune"]);
    let name = section.required_text("name");
    let migrations = section.required_text("migrations");
    let demo = section.text("demo").map(|demo| root.join(demo.value));
    let name = name?;
    if !is_database_name(name.value) {
        let problem = format!("{:?} cannot name a database and a role", name.value);
        let help = "use lower-case letters, digits and underscores, a letter first, 57 at most";
        section.report.error_help(&name.span, problem, help.to_owned());
    }
    Some(Database {
        name: name.value.to_owned(),
        variable: variable?.value.to_owned(),
        migrations: root.join(migrations?.value),
        demo,
        append_only: tables(section, "append_only"),
        read_only: tables(section, "read_only"),
        prune: section.text("prune").map(|text| named(section, &text, "a function", "prune")),
    })
}

/// Names of tables.
fn tables(section: &Section<'_>, key: &str) -> Vec<String> {
    section.texts(key).iter().map(|text| named(section, text, "a table", key)).collect()
}

/// The name of something in the database.
fn named(section: &Section<'_>, text: &Text<'_>, what: &str, key: &str) -> String {
    if !is_database_name(text.value) {
        let problem = format!("{:?} cannot name {what} in `{key}`", text.value);
        let help = "write the name that it has in the schema public, without quotes";
        section.report.error_help(&text.span, problem, help.to_owned());
    }
    text.value.to_owned()
}

/// Names that need no quotes in SQL: PostgreSQL cuts identifiers at 63 bytes, and the role that
/// owns a database has six more, and so has the one that prunes it.
fn is_database_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 57
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(allowed)
}
