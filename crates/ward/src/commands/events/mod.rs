//! `ward events`: what goes over the topics, for people. Events are shown by their WIT type, with
//! what may be about a person masked.

mod context;
mod dead_letters;
mod mask;
mod own_broker;
mod produce;
mod replay;
mod tail;

use std::process::ExitCode;

use crate::application::Application;
use crate::cli::{EventsArgs, EventsCommand, LogFormat, OutputArgs};
use crate::failure::Failure;
use context::Context;
use own_broker::OwnBroker;

/// Does what the command line says.
pub(crate) fn run(args: &EventsArgs) -> Result<ExitCode, Failure> {
    crate::logging::start(&OutputArgs { quiet: true, log_format: LogFormat::Plain })?;
    let application = Application::load(&args.from, &args.config)?;
    let is_endless = matches!(&args.command, EventsCommand::Tail(tail) if !tail.once);
    let broker = OwnBroker::find(&application, &args.config, is_endless)?;
    let done = Context::load(&application, broker.address.clone())
        .and_then(|context| carry_out(&context, &args.command));
    // Stopped after a failure, too; the failure is the news then.
    let stopped = broker.stop();
    done.and(stopped).map(|()| ExitCode::SUCCESS)
}

fn carry_out(context: &Context, command: &EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::Tail(args) => tail::run(context, args),
        EventsCommand::Produce(args) => produce::run(context, args),
        EventsCommand::Replay(args) => replay::run(context, args),
        EventsCommand::DeadLetters(args) => dead_letters::run(context, args),
    }
}
