//! Events between services: the outbox relay, which ships what services have committed to a log,
//! and
//! the trigger, which hands records to components in batches and commits what they have answered
//! for. Values are protobuf derived from WIT. It must not know wasm or TOML, and it writes no
//! value,
//! key or payload into a log file. What may happen when is decided in pure state machines
//! (`relay::queue`, `trigger::partition`); the rest carries it out. Start at [`Events::start`];
//! what
//! a log is, is in `log`.

mod database;
mod dead_letters;
mod events;
pub mod limits;
mod log;
mod relay;
mod stats;
#[cfg(test)]
mod tests;
mod tools;
mod trigger;
mod wire;

// What the tests in the crate and those beside it share calls it by this name.
#[cfg(test)]
extern crate self as ward_events;

pub use database::{Connect, DatabaseError, Link};
pub use dead_letters::{DeadLetters, Kept, Letter, Resent};
pub use events::{Events, EventsOptions};
pub use log::{
    Chunk, Connection, ConnectionError, ERASED, ERASES, EmbeddedLog, Ends, Farewell, Fetch,
    Headers, Incoming, KafkaLog, Log, Member, Membership, News, Outgoing, Reply, Seen, SendError,
    StartAt, ToolError, TopicPartition, TopicShape, Trouble, Unmade, View, deliver,
};
pub use relay::{EncodeEvent, RelayHandle, RelayOptions};
pub use stats::{LogUp, Metrics, RelayStats, TriggerStats};
pub use tools::{ReadFrom, Reader};
pub use trigger::{
    CallError, Consume, Consumer, DeadLetter, Outcome, TriggerHandle, TriggerOptions,
};
pub use wire::EventType;
