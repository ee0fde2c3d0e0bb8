//! The end-to-end tests: one binary, one module per theme. Every sentence of the specification
//! about behaviour has a test here that would fail without it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

mod analytics;
mod analytics_stream;
mod application;
mod attack;
mod audit_address;
mod audit_chain;
mod audit_outbox;
mod audit_refused;
mod audit_trail;
mod authz;
mod back_off;
mod billing;
mod browser;
mod chaos;
mod cli;
mod conditions;
mod cors;
mod docs;
mod doctor;
mod elsewhere;
mod erasure;
mod events;
mod families;
mod fuzz_api;
mod grpc;
mod grpc_billing;
mod grpc_generated;
mod guide;
mod hostile_tokens;
mod http_files;
mod idempotency;
mod limits;
mod login;
mod memory;
mod misbehave;
mod patients_create;
mod patients_dates;
mod patients_delete;
mod patients_list;
mod patients_pages;
mod patients_read;
mod patients_replace;
mod privacy;
mod protocol;
mod races;
mod reports;
mod restart;
mod restricted;
mod roles;
mod sessions;
mod sessions_end;
mod swap;
mod texts;
mod tidy;
mod tidy_compliance;
mod tidy_names;
mod user_command;
mod users;
mod validate;
mod wit;
