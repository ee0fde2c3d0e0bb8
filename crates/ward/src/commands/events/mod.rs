//! `ward events`: what goes over the topics, for people. Events are shown by their WIT type, with
//! what may be about a person masked.

mod context;
mod dead_letters;
mod mask;
mod produce;
mod replay;
mod tail;

use std::process::ExitCode;

use crate::cli::{EventsArgs, EventsCommand};
use crate::failure::Failure;
use context::Context;

/// Does what the command line says.
pub(crate) fn run(args: &EventsArgs) -> Result<ExitCode, Failure> {
    let context = Context::load(&args.from, &args.config)?;
    match &args.command {
        EventsCommand::Tail(args) => tail::run(&context, args)?,
        EventsCommand::Produce(args) => produce::run(&context, args)?,
        EventsCommand::Replay(args) => replay::run(&context, args)?,
        EventsCommand::DeadLetters(args) => dead_letters::run(&context, args)?,
    }
    Ok(ExitCode::SUCCESS)
}
