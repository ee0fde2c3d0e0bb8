//! The runtime from outside: applications made of the test guests, loaded from a real `spin.toml`,
//! and asked through their handlers. No port of Ward's is open in these tests; what routes and
//! answers on the wire is ward-http's, and tested there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by panicking; clippy.toml exempts only test functions"
)]

mod admission;
mod calls;
mod composed;
mod database;
mod files;
mod host;
mod links;
mod load;
mod log;
mod memory;
mod middleware;
mod misbehave;
mod network;
mod releases;
mod reuse;
mod scheduler;
mod stores;
