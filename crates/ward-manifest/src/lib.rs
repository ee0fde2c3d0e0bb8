//! Reads `spin.toml` (manifest v2, as Spin 4.1 reads it) and `runtime-config.toml`, and turns them
//! into a checked [`App`]. It reports everything that is wrong at once, each finding with its
//! file, line, the offending text and what would be right. It must not do I/O beyond reading the
//! files it is given and the guides they name, and it knows nothing about wasm, HTTP or databases.
//! Start at [`App::load`].

mod app;
mod finding;
mod grpc;
mod hosts;
mod kafka;
mod listen;
mod manifest;
mod names;
mod networks;
mod origin;
mod overrides;
mod runtime_config;
mod start;
mod template;
mod toml_file;
mod units;
mod variables;

pub use app::{
    Action, App, Build, Component, ComponentSettings, Database, Dependency, FileMount, HttpTrigger,
    Inherit, InheritedOnly, KeyValueKind, Origin, Route, Settings, SourcePosition, StaticResponse,
    Variable,
};
pub use finding::{Finding, Findings};
pub use grpc::{
    CallerRecord, FunctionName, GrpcSettings, GrpcTrigger, RevokedSettings, TlsFiles, TokenSettings,
};
pub use hosts::{AllowedHosts, HostError, default_port};
pub use kafka::{KafkaSettings, KafkaTrigger, Outbox, StartFrom};
pub use listen::listen_address;
pub use networks::OutboundNetworking;
pub use overrides::{OverrideError, read_overrides};
pub use runtime_config::{KeyValueStore, OutboundHttp, RuntimeConfig, VariablesProvider};
pub use start::{Addresses, Guide, KeyPair, Users};
pub use variables::{Source, VariableError, Variables};
