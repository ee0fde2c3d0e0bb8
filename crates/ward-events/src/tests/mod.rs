//! Tests of relay and consumer together. Nothing here is part of the crate.

mod simulation;
