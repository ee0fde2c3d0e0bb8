//! The checked application: what every other crate reads in place of TOML. Plain data with public
//! fields; a value of these types has passed every check, so readers need not check again.
//! `Debug` never shows what may be secret: defaults of secret variables and the values of
//! component variables and environments, which people paste secrets into.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;

use crate::finding::Finding;
use crate::grpc::{GrpcSettings, GrpcTrigger, TlsFiles};
use crate::kafka::{KafkaSettings, KafkaTrigger};
use crate::runtime_config::RuntimeConfig;
use crate::start::{Guide, KeyPair, Users};

/// One application, as `spin.toml` describes it.
#[derive(Debug, Clone)]
pub struct App {
    /// `[application] name`.
    pub name: String,
    /// `[application] version`, if given.
    pub version: Option<String>,
    /// `[application] description`, if given.
    pub description: Option<String>,
    /// The directory that holds `spin.toml`; every relative path in it starts here.
    pub root: PathBuf,
    /// `[variables]` by name.
    pub variables: BTreeMap<String, Variable>,
    /// `[[trigger.http]]` in the order of the file.
    pub http_triggers: Vec<HttpTrigger>,
    /// `[[trigger.grpc]]` in the order of the file.
    pub grpc_triggers: Vec<GrpcTrigger>,
    /// `[application.trigger.grpc]`, with defaults filled in.
    pub grpc: GrpcSettings,
    /// `[application.trigger.kafka]`, if there is one.
    pub kafka: Option<KafkaSettings>,
    /// `[[trigger.kafka]]` in the order of the file.
    pub kafka_triggers: Vec<KafkaTrigger>,
    /// `[component.<id>]` by id.
    pub components: BTreeMap<String, Component>,
    /// `[application.tool.ward]`, with defaults filled in.
    pub settings: Settings,
    /// What is odd in the manifest but does not stop it, such as two triggers with one route.
    pub warnings: Vec<Finding>,
    /// Where the parts of the manifest were written, for messages of later steps.
    pub origin: Origin,
}

impl App {
    /// The components that anything calls: by a trigger, or over a live link. The others are only
    /// parts of them, as middleware is.
    pub fn components_in_use(&self) -> BTreeSet<&str> {
        let mut used: BTreeSet<&str> =
            self.http_triggers.iter().filter_map(|t| t.component()).collect();
        used.extend(self.grpc_triggers.iter().map(|trigger| trigger.component.as_str()));
        used.extend(self.kafka_triggers.iter().map(|trigger| trigger.component.as_str()));
        let mut open: Vec<&str> = used.iter().copied().collect();
        while let Some(component) = open.pop().and_then(|id| self.components.get(id)) {
            let linked = component.dependencies.values().filter_map(|d| d.component.as_deref());
            open.extend(linked.filter(|id| used.insert(id)));
        }
        used
    }
}

/// Where the parts of an [`App`] were written. Empty for an `App` that came from no file.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The manifest's path, as messages name it.
    pub file: PathBuf,
    /// Application variable to its place.
    pub variables: BTreeMap<String, SourcePosition>,
    /// Component id to the place of its `allowed_outbound_hosts` entries, in their order.
    pub hosts: BTreeMap<String, Vec<SourcePosition>>,
}

/// A place in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourcePosition {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line's text, with what may be secret masked.
    pub excerpt: String,
}

/// An application variable. A variable without a default is required.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// What the variable is for, if the manifest says.
    pub description: Option<String>,
    /// The value when no provider has one; `None` means the variable is required.
    pub default: Option<String>,
    /// A secret value is never printed or logged.
    pub secret: bool,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = Some("…".to_owned());
        let default = if self.secret && self.default.is_some() { &masked } else { &self.default };
        f.debug_struct("Variable")
            .field("description", &self.description)
            .field("default", default)
            .field("secret", &self.secret)
            .finish()
    }
}

/// One `[[trigger.http]]`.
#[derive(Debug, Clone)]
pub struct HttpTrigger {
    /// `id`, or the default `<component>-http-trigger` as Spin names it.
    pub id: String,
    /// Where the trigger is reached.
    pub route: Route,
    /// What answers.
    pub action: Action,
    /// `dependencies.middleware`, outermost first; empty for static responses.
    pub middleware: Vec<Dependency>,
}

impl HttpTrigger {
    /// The id of the component that answers; `None` for a static response.
    pub fn component(&self) -> Option<&str> {
        match &self.action {
            Action::Component(id) => Some(id),
            Action::Static(_) => None,
        }
    }
}

/// The `route` of an HTTP trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A path pattern as written, such as `/api/orders/...` or `/users/:id`.
    Public(String),
    /// `{ private = true }`: never reached from the outside.
    Private,
}

/// What answers a request on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The id of a component of this application.
    Component(String),
    /// A fixed answer.
    Static(StaticResponse),
}

/// `static_response` of an HTTP trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticResponse {
    /// Status code, 100 to 599; 200 by default.
    pub status_code: u16,
    /// Header names and values, checked to be valid HTTP.
    pub headers: BTreeMap<String, String>,
    /// The body; empty by default.
    pub body: String,
}

/// A middleware or a component dependency: a wasm file and what it inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// How messages call it: the component id, or the path as written.
    pub name: String,
    /// The wasm file.
    pub source: PathBuf,
    /// The exported interface to take, where the manifest names one.
    pub export: Option<String>,
    /// Which of the primary's grants it may use.
    pub inherit: Inherit,
    /// The component of this application whose file it is, where the manifest names the file by
    /// its path: calls go to that component, which works with its own grants. `None` for a file
    /// of nobody's, for middleware, and where the manifest names the component itself, whose
    /// file then is a part of the primary and nothing else.
    pub component: Option<String>,
}

/// `inherit_configuration`: the capability sets a dependency shares with its primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inherit {
    /// `true`: all of them.
    All,
    /// A list of set names (`variables`, `allowed_outbound_hosts`, `key_value_stores`,
    /// `environment`, `files`, `sqlite_databases`, `ai_models`); empty for `false` or no key.
    Only(Vec<String>),
}

/// One `[component.<id>]`.
#[derive(Clone)]
pub struct Component {
    /// Its id, kebab-case.
    pub id: String,
    /// The wasm file (absolute, or relative to the working directory as `App::root` is).
    pub source: PathBuf,
    /// `description`, if given.
    pub description: Option<String>,
    /// Variable name to template over the application's variables.
    pub variables: BTreeMap<String, String>,
    /// WASI environment.
    pub environment: BTreeMap<String, String>,
    /// Files the component may read.
    pub files: Vec<FileMount>,
    /// Globs taken out of `files`.
    pub exclude_files: Vec<String>,
    /// `scheme://host[:port]` templates.
    pub allowed_outbound_hosts: Vec<String>,
    /// Labels of key-value stores the component may open.
    pub key_value_stores: Vec<String>,
    /// Component dependencies by import name.
    pub dependencies: BTreeMap<String, Dependency>,
    /// How it is built, if the manifest says.
    pub build: Option<Build>,
    /// `[component.<id>.tool.ward]`, with defaults filled in.
    pub settings: ComponentSettings,
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("description", &self.description)
            .field("variables", &self.variables.keys())
            .field("environment", &self.environment.keys())
            .field("files", &self.files)
            .field("exclude_files", &self.exclude_files)
            .field("allowed_outbound_hosts", &self.allowed_outbound_hosts)
            .field("key_value_stores", &self.key_value_stores)
            .field("dependencies", &self.dependencies)
            .field("build", &self.build)
            .field("settings", &self.settings)
            .finish()
    }
}

/// One entry of a component's `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileMount {
    /// A glob, relative to the root; each match appears at the same path in the guest.
    Glob(String),
    /// A directory (or, as Spin allows, a file) of the host at a path of the guest.
    Directory {
        /// Host directory or file.
        source: PathBuf,
        /// Absolute guest path.
        destination: String,
    },
}

/// `[component.<id>.build]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Shell commands, run in order.
    pub commands: Vec<String>,
    /// Where they run; the root by default.
    pub workdir: PathBuf,
    /// Globs whose change means a rebuild.
    pub watch: Vec<String>,
}

/// `[application.tool.ward]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `listen`: the gateway's address; `127.0.0.1:4004` by default.
    pub listen: SocketAddr,
    /// `listeners`: component id to an address of its own, beside the gateway.
    pub listeners: BTreeMap<String, SocketAddr>,
    /// `tls`: the certificate that all listeners serve with; clear text where there is none.
    pub tls: Option<TlsFiles>,
    /// `trusted_proxies`: who is believed about whom it speaks for (TOML: addresses and networks).
    pub trusted_proxies: Vec<IpNet>,
    /// `cors_origins`: the origins whose pages may call (TOML: such as `"https://app.example"`).
    pub cors_origins: Vec<HeaderValue>,
    /// `peer_share_percent`: how much of what clients can hold one network address may have; 25 by
    /// default.
    pub peer_share_percent: u8,
    /// `database_host`: the variable that is given PostgreSQL's `host:port`, several with commas
    /// between where it has several hosts.
    pub database_host: Option<String>,
    /// `generate.ed25519`: key pairs that are made once where nobody gives them.
    pub key_pairs: Vec<KeyPair>,
    /// `one_of`: variables with all the values that each may have.
    pub one_of: BTreeMap<String, Vec<String>>,
    /// `guide`: what is printed when the application is ready (TOML: the path of a file).
    pub guide: Option<Guide>,
    /// `demo_guide`: what is printed in its place when demo data was asked for.
    pub demo_guide: Option<Guide>,
    /// `users`: where the application keeps its users.
    pub users: Option<Users>,
    /// `guest_memory` in bytes (TOML: an integer, or a string such as `"2GiB"`): what the memories
    /// of all instances may be together; where there is none, the runtime looks at the machine.
    pub guest_memory_bytes: Option<u64>,
    /// `key_value`: where key-value stores are kept, by label.
    pub key_value: BTreeMap<String, KeyValueKind>,
}

impl Settings {
    /// The key-value stores that the manifest says where to keep, and the runtime configuration,
    /// which is the operator's, does not.
    pub fn stores_besides(
        &self,
        config: &RuntimeConfig,
    ) -> impl Iterator<Item = (&str, KeyValueKind)> {
        let others = self.key_value.iter();
        let others = others.filter(|(label, _)| !config.key_value_stores.contains_key(*label));
        others.map(|(label, kind)| (label.as_str(), *kind))
    }
}

/// Where a key-value store is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyValueKind {
    /// `"file"`: in the state directory, for this process alone.
    File,
    /// `"postgres"`: in PostgreSQL, for all wards of the application.
    Postgres,
}

/// `[component.<id>.tool.ward]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentSettings {
    /// `memory_limit` in bytes (TOML: an integer, or a string such as `"64MiB"`); 128 MiB default.
    pub memory_limit_bytes: u64,
    /// `deadline`: the longest a request may take (TOML: a string such as `"30s"`); 30 s default.
    pub deadline: Duration,
    /// `stream_deadline`: the longest a response's body may go on after its head; as long as
    /// `deadline` by default.
    pub stream_deadline: Duration,
    /// `max_instance_reuse_count`: requests one instance serves before it is replaced; 128.
    pub instance_reuse_max: u32,
    /// `max_instance_concurrent_reuse_count`: requests at once in one instance; 16.
    pub instance_concurrency_max: u32,
    /// `max_concurrent_requests`: requests and calls at once in all instances, of which one client
    /// has its share (`peer_share_percent`); where there is none, calls have a limit of the
    /// runtime's and requests the server's.
    pub concurrent_requests_max: Option<u32>,
    /// `idle_instance_timeout`: how long an idle instance is kept; 1 s.
    pub instance_idle: Duration,
    /// `spin_headers`: whether requests carry Spin's eight headers (`spin-full-url` and so on), or
    /// `spin-client-addr` alone;
    /// true. A guest converts every header it is sent, so one that reads none is faster without.
    pub spin_headers: bool,
    /// `[component.<id>.tool.ward.database]`, if the service owns one.
    pub database: Option<Database>,
    /// `inherited_only`: grants that are there for dependencies alone.
    pub inherited_only: InheritedOnly,
}

/// `inherited_only`: what the manifest grants a component for the sake of its dependencies, and
/// what the component itself is not given where those dependencies are live links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InheritedOnly {
    /// Names out of the component's `variables`.
    pub variables: BTreeSet<String>,
    /// Entries out of the component's `allowed_outbound_hosts`, as written there.
    pub allowed_outbound_hosts: BTreeSet<String>,
}

/// `[component.<id>.tool.ward.database]`: the one database and role of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Database and role name.
    pub name: String,
    /// The application variable that carries the address (`postgres://…`).
    pub variable: String,
    /// Directory of migrations, `V<n>__<name>.sql`.
    pub migrations: PathBuf,
    /// SQL file with demo data for an empty database, if there is one.
    pub demo: Option<PathBuf>,
    /// Tables into which the role that serves may write, and in which it may change nothing.
    pub append_only: Vec<String>,
    /// Tables that the role that serves may only read.
    pub read_only: Vec<String>,
    /// The function that removes what is older than a moment, and that a role of its own may call,
    /// `<name>_prune`, which may do nothing else.
    pub prune: Option<String>,
}
