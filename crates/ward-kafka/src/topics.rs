//! Makes the topics that are missing, with their partitions: not every broker can add partitions
//! later, and one that makes topics by itself makes them with its own idea of how many.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode;

use crate::ask::{Quiet, Trouble, ask};
use crate::client::Connection;
use crate::limits::{OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, pause};

/// How long the broker may take for one request.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// How topics are made.
#[derive(Debug, Clone, Copy)]
pub struct TopicShape {
    /// Partitions, at least 1.
    pub partitions: u32,
    /// Copies of each partition, at least 1.
    pub replicas: u32,
}

/// Makes sure that all topics exist. Fails when the broker is away or refuses.
pub async fn ensure_topics(
    connection: &Connection,
    topics: &[String],
    shape: TopicShape,
) -> Result<(), Trouble> {
    if topics.is_empty() {
        return Ok(());
    }
    reach(connection).await?;
    let admin: AdminClient<Quiet> =
        connection.admin().create_with_context(Quiet::default()).map_err(Trouble::passing)?;
    let partitions = i32::try_from(shape.partitions).unwrap_or(i32::MAX);
    let replicas = i32::try_from(shape.replicas).unwrap_or(i32::MAX);
    let wanted: Vec<_> = topics
        .iter()
        .map(|topic| NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas)))
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

/// Waits until the broker can be reached. An administration client could not say why it cannot,
/// because nobody reads its events.
async fn reach(connection: &Connection) -> Result<(), Trouble> {
    let consumer: BaseConsumer<Quiet> =
        connection.admin().create_with_context(Quiet::default()).map_err(Trouble::passing)?;
    let asked = tokio::task::spawn_blocking(move || ask(&consumer, None, REQUEST_MAX).map(drop));
    asked.await.unwrap_or_else(|error| Err(Trouble::passing(error)))
}

/// The same, again and again until it is done.
pub(crate) async fn ensure_topics_in_the_end(
    connection: &Connection,
    topics: &[String],
    shape: TopicShape,
) {
    let mut attempt = 0;
    while let Err(trouble) = ensure_topics(connection, topics, shape).await {
        connection.health().troubled(&trouble);
        tokio::time::sleep(pause(attempt, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX)).await;
        attempt += 1;
    }
    connection.health().works();
}
