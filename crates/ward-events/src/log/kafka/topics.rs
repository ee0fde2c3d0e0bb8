//! Makes the topics that are missing, with their partitions: not every broker can add partitions
//! later, and one that makes topics by itself makes them with its own idea of how many.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::advertised;
use super::ask::{Quiet, ask};
use super::connection::{Connection, Seen};
use crate::log::{TopicShape, Trouble, Unmade};

/// How long the broker may take for one request.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// A broker removes records by segments, once the last of one is too old: how long one is written
/// to is how much longer than it should a record may stay. Kafka's own default is a week.
const SEGMENT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Makes sure that all topics exist. Nothing is asked of the broker where they do: who may use
/// topics need not be allowed to make any. Fails when the broker is away; what it refuses to make
/// is said.
pub(super) async fn ensure_topics(
    connection: &Connection,
    topics: &[String],
    shape: TopicShape,
) -> Result<Vec<Unmade>, Trouble> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let missing = look(connection, topics, REQUEST_MAX).await?.missing;
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let unmade = |reason: String| move |topic| Unmade { topic, reason: reason.clone() };
    Ok(match make(connection, &missing, shape).await {
        Ok(unmade) => unmade,
        // It has answered before: not every broker knows this question.
        Err(error) => missing.into_iter().map(unmade(error.to_string())).collect(),
    })
}

async fn make(
    connection: &Connection,
    topics: &[String],
    shape: TopicShape,
) -> Result<Vec<Unmade>, KafkaError> {
    let admin: AdminClient<Quiet> = connection.admin().create_with_context(Quiet::default())?;
    let partitions = i32::try_from(shape.partitions).unwrap_or(i32::MAX);
    let replicas = i32::try_from(shape.replicas).unwrap_or(i32::MAX);
    let keep_ms = shape.keep.as_millis().to_string();
    let segment_ms = shape.keep.min(SEGMENT_MAX).as_millis().to_string();
    let wanted: Vec<_> = topics
        .iter()
        .map(|topic| NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas)))
        .map(|topic| topic.set("retention.ms", &keep_ms).set("segment.ms", &segment_ms))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(REQUEST_MAX));
    let results = admin.create_topics(&wanted, &options).await?;
    let refused = results.into_iter().filter_map(Result::err);
    let refused = refused.filter(|(_, code)| *code != RDKafkaErrorCode::TopicAlreadyExists);
    Ok(refused.map(|(topic, code)| Unmade { topic, reason: code.to_string() }).collect())
}

/// Which of these topics keep records for longer than those that are made here to keep them for
/// `keep`.
pub(super) async fn keeping_longer(
    connection: &Connection,
    topics: &[String],
    keep: Duration,
    longest: Duration,
) -> Result<Vec<String>, KafkaError> {
    let admin: AdminClient<Quiet> = connection.admin().create_with_context(Quiet::default())?;
    let wanted: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let options = AdminOptions::new().request_timeout(Some(longest));
    let mut longer = Vec::new();
    for described in admin.describe_configs(&wanted, &options).await? {
        let described = described.map_err(KafkaError::AdminOp)?;
        let entries = described.entries.iter();
        let settings: HashMap<_, _> =
            entries.filter_map(|it| Some((&*it.name, it.value.as_deref()?))).collect();
        if let OwnedResourceSpecifier::Topic(topic) = described.specifier
            && keeps_longer(&settings, keep)
        {
            longer.push(topic);
        }
    }
    Ok(longer)
}

/// Whether these settings keep a record for longer. A broker that says nothing of one has said
/// nothing against it.
fn keeps_longer(settings: &HashMap<&str, &str>, keep: Duration) -> bool {
    let is_longer = |name: &str, most: Duration| {
        let value = settings.get(name).and_then(|value| value.parse::<i64>().ok());
        // -1 is for ever.
        value.is_some_and(|value| u128::try_from(value).map_or(true, |ms| ms > most.as_millis()))
    };
    let are_removed = settings.get("cleanup.policy").is_none_or(|it| it.contains("delete"));
    !are_removed
        || is_longer("retention.ms", keep)
        || is_longer("segment.ms", keep.min(SEGMENT_MAX))
}

/// Looks which topics are missing, as far as this user may know of them. An administration client
/// could not say why a broker cannot be reached, because nobody reads its events.
pub(super) async fn look(
    connection: &Connection,
    topics: &[String],
    longest: Duration,
) -> Result<Seen, Trouble> {
    let consumer: BaseConsumer<Quiet> =
        connection.admin().create_with_context(Quiet::default()).map_err(Trouble::passing)?;
    let (brokers, wanted) = (connection.brokers().to_owned(), topics.to_vec());
    let asked = tokio::task::spawn_blocking(move || {
        let metadata = ask(&consumer, (None, &brokers), longest)?;
        let advertised = advertised::check(&metadata, &brokers)?;
        let usable = metadata.topics().iter().filter(|topic| topic.error().is_none());
        let there: BTreeSet<&str> = usable.map(|topic| topic.name()).collect();
        let missing = wanted.into_iter().filter(|topic| !there.contains(topic.as_str())).collect();
        Ok(Seen { advertised, missing })
    });
    asked.await.unwrap_or_else(|error| Err(Trouble::passing(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_record_for_longer() {
        let week = Duration::from_secs(7 * 24 * 3600);
        let check = |settings: &[(&'static str, &'static str)], expected: bool| {
            let found = keeps_longer(&settings.iter().copied().collect(), week);
            assert_eq!(found, expected, "{settings:?}");
        };
        check(&[], false);
        check(&[("retention.ms", "604800000"), ("segment.ms", "86400000")], false);
        check(&[("retention.ms", "604800001")], true);
        check(&[("retention.ms", "-1")], true);
        // Kafka's own.
        check(&[("retention.ms", "604800000"), ("segment.ms", "604800000")], true);
        check(&[("cleanup.policy", "delete")], false);
        check(&[("cleanup.policy", "compact,delete")], false);
        check(&[("cleanup.policy", "compact"), ("retention.ms", "1000")], true);
    }
}
