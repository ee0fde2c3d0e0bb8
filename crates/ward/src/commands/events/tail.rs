//! `ward events tail`: prints events as they come, one JSON object a line.

use std::ops::ControlFlow;

use ward_kafka::{Place, Reader};

use super::context::Context;
use crate::cli::TailArgs;
use crate::failure::Failure;
use crate::output;

/// Whose positions are looked at; none are written.
const GROUP: &str = "ward-tail";

/// Prints until interrupted, or until the end with `--once`.
pub(super) fn run(context: &Context, args: &TailArgs) -> Result<(), Failure> {
    let event = context.event_type(&args.topic)?;
    let reader = Reader::open(&context.connection, &args.topic, GROUP)?;
    let from = if args.from_start { Place::Earliest } else { Place::Latest };
    let mut printed = Ok(());
    reader.read(&from, !args.once, |record| {
        let line = context.shown(Some(&event), &record, args.reveal);
        printed = output::print(&format!("{line}\n"));
        match printed.is_ok() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    printed
}
