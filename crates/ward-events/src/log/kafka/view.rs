//! A look at a topic without joining a group. librdkafka blocks, so each question has a thread for
//! as long as it takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::advertised;
use super::ask::{Quiet, ask};
use super::connection::Connection;
use super::consumer;
use crate::log::{Chunk, Ends, ToolError, View};

/// How long the broker may take for one question.
const QUESTION_MAX: Duration = Duration::from_secs(10);

/// How long a look for records waits.
const POLL: Duration = Duration::from_millis(100);

/// The most records of one look.
const CHUNK_MAX: usize = 512;

struct KafkaView {
    inner: Arc<Inner>,
    ends: Ends,
}

/// What a question's thread needs.
struct Inner {
    consumer: BaseConsumer<Quiet>,
    topic: Arc<str>,
    group: String,
    /// As they were given.
    brokers: String,
}

pub(super) async fn open(
    connection: Connection,
    topic: String,
    group: String,
) -> Result<Box<dyn View>, ToolError> {
    let opened = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer<Quiet> = connection
            .consumer(&group, "earliest")
            .set("enable.partition.eof", "true")
            .create_with_context(Quiet::default())
            .map_err(ToolError::log("setting up the client"))?;
        let inner = Inner {
            consumer,
            topic: topic.into(),
            group,
            brokers: connection.brokers().to_owned(),
        };
        let ends = inner.ends()?;
        Ok::<_, ToolError>(KafkaView { inner: Arc::new(inner), ends })
    });
    let view = opened.await.map_err(ToolError::log("asking for the topic"))??;
    Ok(Box::new(view))
}

impl Inner {
    fn ends(&self) -> Result<Ends, ToolError> {
        let metadata = ask(&self.consumer, (Some(&self.topic), &self.brokers), QUESTION_MAX)
            .map_err(ToolError::log("asking for the topic"))?;
        let found = metadata.topics().iter().find(|found| found.name() == &*self.topic);
        let partitions = found.map(|found| found.partitions()).unwrap_or_default();
        // What is asked next is asked of the brokers that the answer names.
        advertised::check(&metadata, &self.brokers)
            .map_err(ToolError::log("asking for the topic"))?;
        if partitions.is_empty() {
            return Err(ToolError::NoTopic(self.topic.to_string()));
        }
        let mut ends = Ends::new();
        for partition in partitions {
            let end = self
                .consumer
                .fetch_watermarks(&self.topic, partition.id(), QUESTION_MAX)
                .map_err(ToolError::log("asking for the topic's ends"))?;
            ends.insert(partition.id(), end);
        }
        Ok(ends)
    }

    fn list(&self, offsets: &BTreeMap<i32, i64>) -> Result<TopicPartitionList, ToolError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
                .map_err(ToolError::log("naming a position"))?;
        }
        Ok(list)
    }

    fn next(&self) -> Result<Chunk, ToolError> {
        let mut chunk = Chunk::default();
        while chunk.records.len() < CHUNK_MAX {
            let nothing = chunk.records.is_empty() && chunk.ended.is_empty();
            let wait = if nothing { POLL } else { Duration::ZERO };
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    chunk.records.push(consumer::read(&message, self.topic.clone()));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    chunk.ended.insert(partition);
                }
                Some(Err(error)) => return Err(ToolError::log("reading")(error)),
            }
        }
        Ok(chunk)
    }

    fn committed(&self, partitions: &[i32]) -> Result<BTreeMap<i32, i64>, ToolError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        let committed = self
            .consumer
            .committed_offsets(list, QUESTION_MAX)
            .map_err(ToolError::log("asking for the group's positions"))?;
        let elements = committed.elements();
        let positions = elements.iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((element.partition(), offset)),
            _ => None,
        });
        Ok(positions.collect())
    }

    fn is_consuming(&self) -> Result<bool, ToolError> {
        let groups = self
            .consumer
            .fetch_group_list(Some(&self.group), QUESTION_MAX)
            .map_err(ToolError::log("asking for the group"))?;
        let active = |found: &rdkafka::groups::GroupInfo| {
            found.name() == self.group && !found.members().is_empty()
        };
        Ok(groups.groups().iter().any(active))
    }

    fn commit(&self, positions: &BTreeMap<i32, i64>) -> Result<(), ToolError> {
        let list = self.list(positions)?;
        self.consumer
            .commit(&list, CommitMode::Sync)
            .map_err(ToolError::log("committing positions"))
    }
}

impl KafkaView {
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Inner) -> Result<T, ToolError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, ToolError>> {
        let inner = self.inner.clone();
        let asked = tokio::task::spawn_blocking(move || question(&inner));
        Box::pin(async move {
            asked.await.unwrap_or_else(|error| Err(ToolError::log("asking the broker")(error)))
        })
    }
}

impl View for KafkaView {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn begin(&mut self, starts: &BTreeMap<i32, i64>) -> Result<(), ToolError> {
        let list = self.inner.list(starts)?;
        self.inner.consumer.assign(&list).map_err(ToolError::log("beginning to read"))
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Chunk, ToolError>> {
        self.ask(Inner::next)
    }

    fn committed(&mut self) -> BoxFuture<'_, Result<BTreeMap<i32, i64>, ToolError>> {
        let partitions: Vec<i32> = self.ends.keys().copied().collect();
        self.ask(move |inner| inner.committed(&partitions))
    }

    fn is_consuming(&mut self) -> BoxFuture<'_, Result<bool, ToolError>> {
        self.ask(Inner::is_consuming)
    }

    fn commit(&mut self, positions: BTreeMap<i32, i64>) -> BoxFuture<'_, Result<(), ToolError>> {
        self.ask(move |inner| inner.commit(&positions))
    }
}
