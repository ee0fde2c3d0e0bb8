//! Events between services: the outbox relay, which ships what services have committed to Kafka,
//! and the Kafka trigger, which hands records to components in batches and commits what they have
//! answered for. Values are protobuf derived from WIT; how is not decided here. It must not know
//! wasm or TOML, and it writes no value, key or payload into a log. What may happen when is decided
//! in pure state machines (`relay::queue`, `trigger::partition`); the rest carries it out.

mod client;
mod health;
pub mod limits;
mod producer;
mod relay;
mod topics;

pub use client::{Connection, ConnectionError};
pub use producer::{Outgoing, Producer, SendError};
pub use relay::{
    Connect, Counter, DatabaseError, EncodeEvent, Link, RelayHandle, RelayOptions, RelayStats,
};
pub use topics::{TopicShape, ensure_topics};
