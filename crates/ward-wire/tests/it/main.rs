//! What ward-wire promises, seen from outside: WIT text in, descriptors, text, bytes and findings
//! out. Other implementations of protobuf, prost-reflect and protoc, are the judges wherever there
//! is something to judge. `UPDATE_EXPECT=1 cargo test -p ward-wire` rewrites the snapshots.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

mod agreement;
mod arbitrary;
mod bytes;
mod compat;
mod contracts;
mod json;
mod legacy;
mod limits;
mod mapping;
mod methods;
mod never_panics;
mod protoc;
mod refusals;
mod sources;
mod tools;
