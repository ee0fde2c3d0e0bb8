//! The statements of the event store and its projections against a real PostgreSQL: the component's
//! own texts, sent by an ordinary client. One throwaway server for the process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

mod batches;
mod consumer;
mod questions;
mod rebuild;
mod store;
