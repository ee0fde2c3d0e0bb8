//! Events between services: the outbox relay, which ships what services have committed to Kafka,
//! and the Kafka trigger, which hands records to components in batches and commits what they have
//! answered for. Values are protobuf derived from WIT. It must not know wasm or TOML, and it writes
//! no value, key or payload into a log. What may happen when is decided in pure state machines
//! (`relay::queue`, `trigger::partition`); the rest carries it out. Start at [`Events::start`].

mod ask;
mod client;
mod ends;
mod events;
mod health;
pub mod limits;
mod producer;
mod relay;
mod stats;
mod tools;
mod topics;
mod trigger;
mod wire;

pub use ask::Trouble;
pub use client::{Connection, ConnectionError};
pub use events::{Events, EventsOptions};
pub use producer::{Outgoing, Producer, SendError};
pub use relay::{Connect, DatabaseError, EncodeEvent, Link, RelayHandle, RelayOptions};
pub use stats::{Counter, RelayStats, TriggerStats};
pub use tools::{Place, Reader, ToolError};
pub use topics::{TopicShape, ensure_topics};
pub use trigger::{
    CallError, Consume, DeadLetter, Incoming, Outcome, StartAt, TriggerHandle, TriggerOptions,
};
pub use wire::EventType;
