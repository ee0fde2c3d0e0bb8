//! `ward events dead-letters`: lists what could not be consumed, and sends it again. What was sent
//! again is not listed any more: how far that came is the position of a group of its own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use ward_events::{DeadLetter, Incoming, ReadFrom, Reader, ToolError, deliver};

use super::context::Context;
use crate::cli::DeadLettersArgs;
use crate::failure::Failure;
use crate::output;

/// Whose positions say what has been sent again.
const GROUP: &str = "ward-dead-letters";

/// Lists or sends again, topic by topic.
pub(super) async fn run(context: &Context, args: &DeadLettersArgs) -> Result<(), Failure> {
    let mut count = 0;
    for (topic, dead) in topics(context, args) {
        let mut reader = match Reader::open(&*context.log, &dead, GROUP).await {
            Err(ToolError::NoTopic(_)) => continue,
            other => other?,
        };
        let mut letters = Vec::new();
        let each = |record| {
            letters.push(record);
            ControlFlow::Continue(())
        };
        reader.read(&ReadFrom::Group, false, each).await?;
        count += letters.len();
        match args.resend {
            true => resend(context, &mut reader, &letters).await?,
            false => list(context, &topic, &letters, args.reveal)?,
        }
    }
    let what = if args.resend { "sent again" } else { "dead letters" };
    output::print(&format!("{count} {what}\n"))
}

/// Topics that triggers read, each with the topic of its dead letters; each once.
fn topics(context: &Context, args: &DeadLettersArgs) -> BTreeMap<String, String> {
    let triggers = context.app.kafka_triggers.iter();
    let pairs = triggers.flat_map(|trigger| {
        let dead = |topic: &String| (topic.clone(), trigger.dead_letter_of(topic));
        trigger.topics.iter().map(dead).collect::<Vec<_>>()
    });
    pairs.filter(|(topic, _)| args.topic.as_ref().is_none_or(|only| only == topic)).collect()
}

fn list(context: &Context, topic: &str, letters: &[Incoming], reveal: bool) -> Result<(), Failure> {
    let event = context.event_type(topic).ok();
    for letter in letters {
        let mut shown = context.shown(event.as_ref(), letter, reveal);
        if let (Some(shown), Some(dead)) = (shown.as_object_mut(), DeadLetter::read(letter)) {
            shown.insert("reason".to_owned(), dead.reason.into());
        }
        output::print(&format!("{shown}\n"))?;
    }
    Ok(())
}

/// Sends each letter to where it came from, and remembers it before the next.
async fn resend(
    context: &Context,
    reader: &mut Reader,
    letters: &[Incoming],
) -> Result<(), Failure> {
    let log = &*context.log;
    for letter in letters {
        if let Some(dead) = DeadLetter::read(letter) {
            let record = DeadLetter::unwrap_record(letter);
            let sent = deliver(log, &dead.topic, &record).await;
            sent.map_err(|error| Failure::new(format!("{} did not take it: {error}", log.name())))?;
        }
        reader.commit(BTreeMap::from([(letter.partition, letter.offset + 1)])).await?;
    }
    Ok(())
}
