//! The end-to-end tests' harness: it starts the real `ward` binary the way a user does, speaks HTTP
//! to its ports, and looks into its database. The suite knows Ward only through these, so that it
//! would pass or fail the same against any other implementation of the specification.
//!
//! Start with [`Ward`] (a running system), [`Api`] (its HTTP interface) and [`Answer`] (what came
//! back). Nothing here may depend on a crate of the product.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test harness fails by panicking: the message is the finding"
)]

mod api;
pub mod attack;
pub mod browser;
pub mod chaos;
mod data;
mod database;
pub mod fuzz_api;
mod grpc;
mod repository;
pub mod roles;
pub mod sqlmap;
mod supervisor;
pub mod swap;
mod tokens;
pub mod tools;
mod ward;

pub use api::{Answer, Api, DEMO_EMAIL, DEMO_PASSWORD};
pub use data::{Patient, Random, unique_email, unique_name};
pub use database::Database;
pub use grpc::Grpc;
pub use repository::{Repository, wasm};
pub use tokens::{Forge, claims, claims_in, claims_of, header_in};
pub use ward::{Options, Ward};
