//! Makes the topics that are missing, with their partitions: not every broker can add partitions
//! later, and one that makes topics by itself makes them with its own idea of how many.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode;

use super::ask::{Quiet, ask};
use super::connection::Connection;
use crate::log::{TopicShape, Trouble};

/// How long the broker may take for one request.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// Makes sure that all topics exist. Nothing is asked of the broker where they do: who may use
/// topics need not be allowed to make any. Fails when the broker is away or refuses.
pub(super) async fn ensure_topics(
    connection: &Connection,
    topics: &[String],
    shape: TopicShape,
) -> Result<(), Trouble> {
    let mut missing = topics.to_vec();
    if !missing.is_empty() {
        let there = existing(connection).await?;
        missing.retain(|topic| !there.contains(topic));
    }
    match missing.is_empty() {
        true => Ok(()),
        false => make(connection, &missing, shape).await,
    }
}

async fn make(
    connection: &Connection,
    topics: &[String],
    shape: TopicShape,
) -> Result<(), Trouble> {
    let admin: AdminClient<Quiet> =
        connection.admin().create_with_context(Quiet::default()).map_err(Trouble::passing)?;
    let partitions = i32::try_from(shape.partitions).unwrap_or(i32::MAX);
    let replicas = i32::try_from(shape.replicas).unwrap_or(i32::MAX);
    let keep_ms = shape.keep.as_millis().to_string();
    let wanted: Vec<_> = topics
        .iter()
        .map(|topic| NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas)))
        .map(|topic| topic.set("retention.ms", &keep_ms))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(REQUEST_MAX));
    let results = admin.create_topics(&wanted, &options).await;
    for result in results.map_err(Trouble::passing)? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(Trouble::passing(format!("making the topic {topic}: {code}")));
            }
        }
    }
    Ok(())
}

/// The topics there are, as far as this user may know of them. An administration client could not
/// say why a broker cannot be reached, because nobody reads its events.
async fn existing(connection: &Connection) -> Result<BTreeSet<String>, Trouble> {
    let consumer: BaseConsumer<Quiet> =
        connection.admin().create_with_context(Quiet::default()).map_err(Trouble::passing)?;
    let asked = tokio::task::spawn_blocking(move || ask(&consumer, None, REQUEST_MAX));
    let metadata = asked.await.unwrap_or_else(|error| Err(Trouble::passing(error)))?;
    let usable = metadata.topics().iter().filter(|topic| topic.error().is_none());
    Ok(usable.map(|topic| topic.name().to_owned()).collect())
}
