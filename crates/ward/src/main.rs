//! The `ward` command. This file only starts things: what the arguments are is in `cli`, what each
//! command does in `commands`, one file each. Nothing here knows wasm, HTTP or SQL; the crates
//! below do.

mod age;
mod application;
mod audit_chain;
mod cli;
mod commands;
mod database;
mod demo;
mod events;
mod failure;
mod grpc;
mod guide;
mod keys;
mod limits;
mod logging;
mod migrations;
mod ops;
mod output;
mod owner;
mod ports;
mod progress;
mod provision;
mod releases;
mod schema;
mod secrets;
mod serving;
mod signals;
mod users;
mod watch;

use std::process::ExitCode;

/// A request is some hundred small allocations on whichever worker has it, most of them freed on
/// another; this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(cli::Cli::read()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
