//! What the gRPC trigger is told: which interfaces it serves, where, and whom it believes. Plain
//! data that has passed every check, like the rest of [`App`](crate::App).

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One `[[trigger.grpc]]`: an interface that a component exports, served as a gRPC service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcTrigger {
    /// `id`, or the default `<component>-grpc-trigger` as Spin names it.
    pub id: String,
    /// The id of a component of this application.
    pub component: String,
    /// The interface it exports, such as `shop:orders/orders@1.0.0`; the version may be missing.
    pub interface: String,
    /// The protobuf package; `None` to have it derived, empty for none.
    pub package: Option<String>,
    /// The service's name; `None` to have it derived.
    pub service: Option<String>,
    /// Whether anybody may call it, without a token.
    pub public: bool,
    /// `scopes`: the scope that a token needs for a function, by the function's name. What is not
    /// here is refused. Empty where the trigger is public.
    pub scopes: BTreeMap<String, String>,
}

/// `[application.trigger.grpc]`, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcSettings {
    /// `listen`: where calls come in; `127.0.0.1:9001` by default.
    pub listen: SocketAddr,
    /// `token`: what tokens are verified with. There whenever a trigger is not public.
    pub token: Option<TokenSettings>,
    /// `caller`: the record that tells a component who calls. The trigger fills it in, and it is
    /// no part of messages; without it there is none.
    pub caller: Option<CallerRecord>,
    /// `refused`: the function that a component is told by of calls that were refused before they
    /// reached it. Every component of a trigger that asks for a token exports it then.
    pub refused: Option<FunctionName>,
    /// `max_message_size` in bytes (TOML: an integer, or a string such as `"4MiB"`), for requests
    /// and answers, after decompression; 4 MiB by default.
    pub message_bytes_max: u64,
    /// `tls`: the certificate to serve with; clear text where there is none.
    pub tls: Option<TlsFiles>,
    /// `reflection`: whether clients may ask for the services' descriptors; true by default.
    pub reflection: bool,
}

/// `caller`: a record of the contracts, in every version of its package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerRecord {
    /// The interface that has it, such as `shop:common/types`.
    pub interface: String,
    /// Its name there, such as `caller`.
    pub record: String,
}

/// `refused`: a function of the contracts, in every version of its package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    /// The interface that has it, such as `shop:common/refusals`.
    pub interface: String,
    /// Its name there, such as `note`.
    pub function: String,
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.interface, self.function)
    }
}

impl fmt::Display for CallerRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.interface, self.record)
    }
}

/// `token`: templates over the application's variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// `public_key`: an Ed25519 public key in PEM.
    pub public_key: String,
    /// `issuer`: the `iss` a token must have.
    pub issuer: String,
    /// `audience`: the `aud` a token must have.
    pub audience: String,
    /// `revoked`: where it is written down which sessions have ended; without it none ends early.
    pub revoked: Option<RevokedSettings>,
}

/// `token.revoked`: a key-value store in which a session that has ended has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedSettings {
    /// `store`: its label.
    pub store: String,
    /// `prefix`: what the key has before the session's id.
    pub prefix: String,
}

/// `tls`: two files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `cert`: the certificate and those between it and the authority's.
    pub cert: PathBuf,
    /// `key`: its private key.
    pub key: PathBuf,
}
