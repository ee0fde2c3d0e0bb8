//! The HTTP trigger: finds the route of a request as Spin does and hands the request to its
//! component, as a service on `ward-serve`, which bounds what clients may cost. It opens nothing
//! itself: no socket, no file, no database, no wasm. It never interprets a body, and it never logs
//! a path, a query or a header.
//!
//! Start at [`listeners`] and [`Routes::new`] (from an application to what is served where), then
//! [`Server::bind`] and [`Server::run`]; [`service`](self) has the life of one request in order.
//!
//! What a component may rely on:
//! - `spin-*` headers are the host's own; a client's are removed, as are its `ward-*` headers,
//!   which carry the caller's identity inside the application.
//! - `x-request-id` is always there, a UUID, on the request and on the response.
//! - `x-forwarded-*`, `forwarded` and `traceparent` pass as they came. They are claims: true only
//!   as far as whatever stands in front of Ward is trusted. `spin-client-addr` is the peer itself,
//!   or whom a proxy speaks for that the manifest says is believed.

#![forbid(unsafe_code)]

mod browser;
mod gather;
mod handler;
mod metrics;
mod pattern;
mod problem;
mod request;
mod request_log;
mod router;
mod server;
mod service;
mod table;
mod well_known;

pub use handler::Handler;
pub use metrics::Metrics;
pub use server::{Bound, Options, Server};
pub use table::{Listener, RouteError, Routes, listeners};
pub use ward_serve::{Current, Drained, Limits};
