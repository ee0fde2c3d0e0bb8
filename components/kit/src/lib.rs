//! What every Ward component needs to speak HTTP and SQL in the same way: problem documents, strict
//! JSON bodies, routing, paging, entity tags, the caller's identity, rows.
//!
//! It is a library for guests and holds no policy: it decides neither who may do what nor what a
//! patient is, opens nothing of its own accord, and keeps no state between requests but a handle of
//! [`session`]'s. Everything but that, [`database`] and [`deadline`] is plain data in, data out,
//! and runs natively in tests.
//!
//! Two rules run through it. What a caller reads and what a log line says are made in different
//! places, and neither ever holds a value from a row or from a body. And a failure is a
//! [`Problem`], so that `?` always leads to an answer a client can read.

pub mod audit;
pub mod body;
pub mod caller;
pub mod database;
pub mod date;
pub mod deadline;
pub mod describe;
pub mod email;
pub mod etag;
pub mod fields;
pub mod idempotency;
pub mod identity;
pub mod log;
pub mod page;
pub mod peer;
pub mod problem;
pub mod query;
pub mod refusal;
pub mod reply;
pub mod route;
pub mod seal;
pub mod session;
pub mod text;
pub mod trail;
pub mod uuid;

// For what `operations!` makes in a component.
#[doc(hidden)]
pub use http;
pub use problem::Problem;
pub use reply::Reply;
