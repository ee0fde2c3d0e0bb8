//! `ward events replay`: moves a consumer group, so that it reads again what it has read or leaves
//! out what it has not.

use chrono::DateTime;
use ward_events::{ReadFrom, Reader};

use super::context::Context;
use crate::cli::ReplayArgs;
use crate::failure::Failure;
use crate::output;

/// Moves the group on each of its topics, and says where to.
pub(super) async fn run(context: &Context, args: &ReplayArgs) -> Result<(), Failure> {
    let place = place(&args.from)?;
    let own = context.app.kafka_triggers.iter().filter(|trigger| trigger.group == args.group);
    let mut topics: Vec<String> = own.flat_map(|trigger| trigger.topics.clone()).collect();
    if let Some(topic) = &args.topic {
        topics = vec![topic.clone()];
    }
    if topics.is_empty() {
        return Err(Failure::new(format!("no trigger consumes as the group `{}`", args.group))
            .help("name the topic with --topic"));
    }
    for topic in topics {
        let mut reader = Reader::open(&*context.log, &topic, &args.group).await?;
        for (partition, offset) in reader.move_group(&place).await? {
            output::print(&format!("{topic} {partition}: from {offset}\n"))?;
        }
    }
    Ok(())
}

fn place(text: &str) -> Result<ReadFrom, Failure> {
    match text {
        "earliest" => Ok(ReadFrom::Earliest),
        "latest" => Ok(ReadFrom::Latest),
        time => DateTime::parse_from_rfc3339(time)
            .map(|time| ReadFrom::Time(time.timestamp_millis()))
            .map_err(|_| {
                Failure::new(format!("--from cannot be {text:?}"))
                    .help("give earliest, latest, or a time such as 2026-01-31T12:00:00Z")
            }),
    }
}

#[cfg(test)]
mod tests {
    use ward_events::ReadFrom;

    use super::place;

    #[test]
    fn places_are_names_or_times() {
        assert_eq!(place("earliest").unwrap(), ReadFrom::Earliest);
        assert_eq!(place("latest").unwrap(), ReadFrom::Latest);
        assert_eq!(place("1970-01-01T00:00:01.5Z").unwrap(), ReadFrom::Time(1500));
        assert!(place("yesterday").unwrap_err().advice().unwrap().contains("earliest"));
    }
}
