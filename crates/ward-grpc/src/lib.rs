//! The gRPC trigger: serves interfaces that components export as gRPC services whose protobuf is
//! derived from their WIT, as a service on `ward-serve`, which bounds what clients may cost. Unary
//! calls only. It opens nothing itself: no socket, no database, no wasm. It never logs metadata or
//! a message.
//!
//! Start at [`Offer::new`] (from an application to what is served), [`Options::new`], then
//! [`Server::bind`] and [`Server::run`]; the module `service` has the life of one call in order.
//!
//! What a component may rely on:
//! - a caller may call what was called: the token has the scope that the manifest names for it;
//! - the record that the manifest names as `caller` was filled in from a token that was verified,
//!   or is empty where the trigger is public;
//! - its `request-id` is always there, a UUID: the client's `x-request-id` or a new one;
//! - its `traceparent` is the client's, if that is one. It is a claim, like any metadata;
//! - its `address` is the peer's, or the one for which a proxy speaks that is believed.

#![forbid(unsafe_code)]

mod access;
mod builtin;
mod caller;
mod codec;
mod head;
mod invoke;
mod limits;
mod metrics;
mod offer;
mod options;
mod reflection;
mod refused;
mod request_log;
mod revoked;
mod server;
mod service;
mod status;
mod timeout;
mod trace;

pub use invoke::Invoke;
pub use limits::Limits;
pub use metrics::Metrics;
pub use offer::{Offer, OfferError};
pub use options::{Options, OptionsError};
pub use revoked::{Look, Revoked};
pub use server::{BindError, Server};
pub use ward_serve::{Current, Drained};
