//! `ward events dead-letters`: lists what could not be consumed, and sends it again. What was sent
//! again is not listed any more; what cannot be is named, and stays.

use std::collections::BTreeMap;

use ward_events::{DeadLetters, Kept, Letter, Resent, ToolError};

use super::context::Context;
use crate::cli::DeadLettersArgs;
use crate::failure::Failure;
use crate::output;

/// Lists or sends again, topic by topic.
pub(super) async fn run(context: &Context, args: &DeadLettersArgs) -> Result<(), Failure> {
    let topics = topics(context, args);
    if args.letter.is_some() && topics.len() > 1 {
        let names: Vec<_> = topics.keys().map(String::as_str).collect();
        return Err(Failure::new("--letter: letters of several topics have the same numbers")
            .help(format!("name the topic as well: --topic with {}", names.join(" or "))));
    }
    let (mut count, mut kept) = (0, 0);
    for (topic, dead) in topics {
        let mut dead = match DeadLetters::open(&*context.log, &dead).await {
            Err(ToolError::NoTopic(_)) => continue,
            other => other?,
        };
        let chosen = |letter: &&Letter| {
            args.letter.is_none_or(|(partition, offset)| letter.is_at(partition, offset))
        };
        let letters: Vec<Letter> = dead.letters().iter().filter(chosen).cloned().collect();
        for letter in &letters {
            match args.resend {
                false => list(context, &topic, letter, args.reveal)?,
                true => match resend(context, &mut dead, letter).await? {
                    Resent::Sent => {}
                    Resent::Kept(why) => {
                        kept += 1;
                        name(letter, why)?;
                    }
                },
            }
        }
        count += letters.len();
    }
    if let Some((partition, offset)) = args.letter.filter(|_| count == 0) {
        return Err(Failure::new(format!("there is no dead letter {partition}:{offset}"))
            .help("`ward events dead-letters` lists them; what was sent again is none any more"));
    }
    output::print(&match (args.resend, count - kept, kept) {
        (false, _, _) => format!("{count} dead letters\n"),
        (true, sent, 0) => format!("{sent} sent again\n"),
        (true, sent, kept) => format!("{sent} sent again, {kept} left where they are\n"),
    })
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

fn list(context: &Context, topic: &str, letter: &Letter, reveal: bool) -> Result<(), Failure> {
    let event = context.event_type(topic).ok();
    let mut shown = context.shown(event.as_ref(), &letter.record, reveal);
    if let (Some(shown), Some(dead)) = (shown.as_object_mut(), &letter.dead) {
        shown.insert("reason".to_owned(), dead.reason.clone().into());
    }
    output::print(&format!("{shown}\n"))
}

async fn resend(
    context: &Context,
    dead: &mut DeadLetters<'_>,
    letter: &Letter,
) -> Result<Resent, Failure> {
    let consumes = |group: &str, topic: &str| {
        let triggers = context.app.kafka_triggers.iter();
        let mut own = triggers.filter(|trigger| trigger.group == group);
        own.any(|trigger| trigger.topics.iter().any(|read| read == topic))
    };
    Ok(dead.resend(letter, consumes).await?)
}

/// Says which letter stays.
fn name(letter: &Letter, why: Kept) -> Result<(), Failure> {
    let record = &letter.record;
    let (topic, partition, offset) = (&record.topic, record.partition, record.offset);
    output::print(&format!("{topic} {partition}:{offset} stays: {why}\n"))
}
