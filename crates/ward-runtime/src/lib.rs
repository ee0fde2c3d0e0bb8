//! Runs the components of an application: compiles and caches them, composes what belongs together,
//! links the host's capabilities and one component with another, and keeps warm instances that
//! answer HTTP requests and calls.
//! It is the only crate that names wasmtime; it opens no listener and knows no route.
//! Start at [`Host::load`], which makes a [`Release`], then [`HttpHandler::handle`] and
//! [`Function::call`].

mod admission;
mod artifact;
mod busy;
mod cache;
mod call;
mod capabilities;
mod compose;
mod engine;
mod error;
mod exports;
mod files;
mod globs;
mod handler;
mod host;
mod limits;
mod link;
mod linker;
mod machine;
mod memory;
mod metrics;
mod moving_timer;
mod networks;
mod outbound;
mod release;
mod request_id;
mod revision;
mod scheduler;
mod services;
mod serving;
mod state;
mod stdio;
mod turns;
mod underway;
mod whole;

pub use artifact::Digest;
pub use call::{CallContext, CallError, Function, Held};
pub use capabilities::key_value::KeyValueStore;
pub use capabilities::postgres::OutboxBell;
pub use engine::address_space;
pub use error::{HandleError, LoadError};
pub use files::refused as refused_files;
pub use handler::{Body, BodyError};
pub use host::{Host, HostOptions};
pub use link::{Link, LinkKind, links};
pub use release::{HttpHandler, Release};
pub use request_id::{RequestId, X_REQUEST_ID};
pub use revision::LoadedComponent;
