//! The commands, one file each.

mod app;
mod asyncapi;
mod audit;
mod build;
mod completions;
mod doctor;
mod events;
mod keys;
mod migrate;
mod prune;
mod swap;
mod up;
mod user;
mod wit;

use std::process::ExitCode;

pub(crate) use app::shown;
pub(crate) use build::build;

use crate::cli::{Cli, Command};
use crate::failure::Failure;

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Up(args) => up::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Audit(command) => audit::run(&command),
        Command::Migrate(args) => migrate::run(&args),
        Command::App(args) => app::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Wit(command) => wit::run(&command),
        Command::Events(args) => events::run(&args),
        Command::User(args) => user::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Swap(args) => swap::swap(&args),
        Command::Promote(args) => swap::promote(&args),
        Command::Rollback(args) => swap::roll_back(&args),
        Command::Revisions(args) => swap::revisions(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// The runtime that commands with connections run on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::because("starting threads"))
}
