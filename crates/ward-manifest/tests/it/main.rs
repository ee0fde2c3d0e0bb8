//! Tests of ward-manifest through its public names. Each suite has one `check` that takes data
//! and a snapshot; `UPDATE_EXPECT=1 cargo test -p ward-manifest` rewrites the snapshots.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

mod fold;
mod grpc;
mod hosts;
mod kafka;
mod manifest_errors;
mod manifest_files;
mod manifest_links;
mod manifest_settings;
mod manifest_valid;
mod never_panics;
mod resolver;
mod runtime_config;
