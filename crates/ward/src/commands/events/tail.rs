//! `ward events tail`: prints events as they come, one JSON object a line.

use std::ops::ControlFlow;

use ward_events::{ReadFrom, Reader};

use super::context::Context;
use crate::cli::TailArgs;
use crate::failure::Failure;
use crate::output;

/// Whose positions are looked at; none are written.
const GROUP: &str = "ward-tail";

/// Prints until interrupted, or until the end with `--once`.
pub(super) async fn run(context: &Context, args: &TailArgs) -> Result<(), Failure> {
    let event = context.event_type(&args.topic)?;
    let mut reader = Reader::open(&*context.log, &args.topic, GROUP).await?;
    let from = if args.from_start { ReadFrom::Earliest } else { ReadFrom::Latest };
    let mut printed = Ok(());
    let each = |record| {
        let line = context.shown(Some(&event), &record, args.reveal);
        printed = output::print(&format!("{line}\n"));
        match printed.is_ok() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    };
    reader.read(&from, !args.once, each).await?;
    printed
}
