//! Tests of relay and trigger together, on a log in memory. Nothing here is part of the crate.

mod memory;
mod simulation;
