//! The relay and the trigger against real logs and a real PostgreSQL. Tests share them where they
//! can, each with topics, groups and a database of its own; those that kill have their own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

mod brokers;
mod dead_letters;
mod embedded;
mod fake;
mod laws;
#[path = "../../src/tests/memory/mod.rs"]
mod memory;
mod outage;
mod relay;
mod security;
mod system;
mod trigger;
