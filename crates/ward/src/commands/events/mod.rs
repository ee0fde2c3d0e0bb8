//! `ward events`: what goes over the topics, for people. Events are shown by their WIT type, with
//! what may be about a person masked.

mod context;
mod dead_letters;
mod log;
mod mask;
mod produce;
mod replay;
mod tail;

use std::process::ExitCode;

use crate::application::Application;
use crate::cli::{EventsArgs, EventsCommand, FromArgs, LogFormat, OutputArgs};
use crate::failure::Failure;
use context::Context;
use log::OpenLog;

/// Does what the command line says.
pub(crate) fn run(args: &EventsArgs) -> Result<ExitCode, Failure> {
    crate::logging::start(&OutputArgs { quiet: true, log_format: LogFormat::Plain })?;
    let behind = args.command.from().map(|from| FromArgs { from: from.clone() });
    let application = Application::load(behind.as_ref().unwrap_or(&args.from), &args.config)?;
    let runtime = super::runtime()?;
    runtime.block_on(carry_out(&application, args)).map(|()| ExitCode::SUCCESS)
}

async fn carry_out(application: &Application, args: &EventsArgs) -> Result<(), Failure> {
    let is_endless = matches!(&args.command, EventsCommand::Tail(tail) if !tail.once);
    let open = OpenLog::find(application, &args.config, is_endless).await?;
    let done = match Context::load(application, open.log.clone()) {
        Ok(context) => command(&context, &args.command).await,
        Err(failure) => Err(failure),
    };
    // Stopped after a failure, too; the failure is the news then.
    let stopped = open.close().await;
    done.and(stopped)
}

async fn command(context: &Context, command: &EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::Tail(args) => tail::run(context, args).await,
        EventsCommand::Produce(args) => produce::run(context, args).await,
        EventsCommand::Replay(args) => replay::run(context, args).await,
        EventsCommand::DeadLetters(args) => dead_letters::run(context, args).await,
    }
}
