//! WIT ⇄ protobuf. From a resolved WIT interface it derives a protobuf service: descriptors, the
//! .proto text, and tables by which values are read from bytes and written to them without anything
//! in between. It is pure: no I/O beyond reading the directories it is given, and it knows neither
//! wasmtime nor gRPC nor Kafka. Start at [`Contract`], then [`Service::derive`] or
//! [`Message::derive`]; how WIT's types map is said in [`Service`].

mod contract;
mod decode;
mod derive;
mod descriptor;
mod document;
mod encode;
mod error;
mod failure;
mod json;
mod limits;
mod message;
mod method;
mod naming;
mod plan;
mod reader;
mod service;
mod text;
mod value;

pub mod compat;

pub use contract::{Contract, ContractError};
pub use error::{DecodeError, Mismatch, Refusal};
pub use failure::{Failure, Violation};
pub use limits::{MESSAGE_BYTES_MAX, VALUES_MAX};
pub use message::Message;
pub use method::{Argument, Method};
pub use naming::Naming;
pub use service::{Service, merge, proto_text};
pub use value::Value;
