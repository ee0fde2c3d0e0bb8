//! What people do with topics and groups by hand: read, send, move a group, look at dead letters.
//! All of it blocks; callers give it a thread.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::ask::{Quiet, ask};
use crate::client::Connection;
use crate::trigger::Incoming;

/// How long the broker may take for one question.
const QUESTION_MAX: Duration = Duration::from_secs(10);

/// How long a poll waits, and with it how late an end is noticed.
const POLL: Duration = Duration::from_millis(100);

/// Why a tool could not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The broker or the client refused.
    #[error("{what}: {reason}")]
    Broker {
        /// What was being done.
        what: &'static str,
        /// The client's word for it.
        reason: String,
    },
    /// There is no such topic.
    #[error("there is no topic `{0}`")]
    NoTopic(String),
    /// A group that is consuming cannot be moved.
    #[error("the group `{0}` is consuming; stop its consumers first")]
    GroupIsActive(String),
}

impl ToolError {
    fn broker<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> ToolError {
        move |error| ToolError::Broker { what, reason: error.to_string() }
    }
}

/// A place to read from, or to move a group to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The oldest record.
    Earliest,
    /// What comes next.
    Latest,
    /// The first record of this time or later, in milliseconds since 1970.
    Time(i64),
    /// Where the reader's group is; the oldest record where it has not been.
    Group,
}

/// First and one past the last offset, by partition.
type Ends = BTreeMap<i32, (i64, i64)>;

/// A client that reads without joining a group.
pub struct Reader {
    consumer: BaseConsumer<Quiet>,
    topic: Arc<str>,
    ends: Ends,
}

impl Reader {
    /// Looks at a topic. `group` is whose positions are read or written.
    pub fn open(connection: &Connection, topic: &str, group: &str) -> Result<Reader, ToolError> {
        let consumer: BaseConsumer<Quiet> = connection
            .consumer(group, "earliest")
            .create_with_context(Quiet::default())
            .map_err(ToolError::broker("setting up the client"))?;
        let metadata = ask(&consumer, Some(topic), QUESTION_MAX)
            .map_err(ToolError::broker("asking for the topic"))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let partitions = found.map(|found| found.partitions()).unwrap_or_default();
        if partitions.is_empty() {
            return Err(ToolError::NoTopic(topic.to_owned()));
        }
        let mut ends = Ends::new();
        for partition in partitions {
            let end = consumer
                .fetch_watermarks(topic, partition.id(), QUESTION_MAX)
                .map_err(ToolError::broker("asking for the topic's ends"))?;
            ends.insert(partition.id(), end);
        }
        Ok(Reader { consumer, topic: topic.into(), ends })
    }

    /// Hands each record from a place on to `each`, until that says to stop or, without `follow`,
    /// everything that was there at the start has been read.
    pub fn read(
        &self,
        from: &Place,
        follow: bool,
        mut each: impl FnMut(Incoming) -> ControlFlow<()>,
    ) -> Result<(), ToolError> {
        let starts = self.offsets(from)?;
        let open = |(partition, start): (&i32, &i64)| {
            let (_, end) = self.ends.get(partition)?;
            (start < end).then_some((*partition, *end))
        };
        let mut left: BTreeMap<i32, i64> = starts.iter().filter_map(open).collect();
        self.assign(&starts)?;
        while follow || !left.is_empty() {
            let Some(polled) = self.consumer.poll(POLL) else { continue };
            let message = polled.map_err(ToolError::broker("reading"))?;
            let record = Incoming::read(&message, self.topic.clone());
            if left.get(&record.partition).is_some_and(|end| record.offset + 1 >= *end) {
                left.remove(&record.partition);
            }
            if each(record).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn assign(&self, starts: &BTreeMap<i32, i64>) -> Result<(), ToolError> {
        let list = self.list(starts)?;
        self.consumer.assign(&list).map_err(ToolError::broker("beginning to read"))
    }

    fn list(&self, offsets: &BTreeMap<i32, i64>) -> Result<TopicPartitionList, ToolError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
                .map_err(ToolError::broker("naming a position"))?;
        }
        Ok(list)
    }

    /// The offset of a place in each partition.
    pub fn offsets(&self, place: &Place) -> Result<BTreeMap<i32, i64>, ToolError> {
        let ends = self.ends.iter();
        match place {
            Place::Earliest => {
                Ok(ends.map(|(partition, (first, _))| (*partition, *first)).collect())
            }
            Place::Latest => Ok(ends.map(|(partition, (_, end))| (*partition, *end)).collect()),
            Place::Time(at_ms) => self.offsets_of_time(*at_ms),
            Place::Group => self.committed(),
        }
    }

    /// Found by reading, because not every broker's index of times can be relied on.
    fn offsets_of_time(&self, at_ms: i64) -> Result<BTreeMap<i32, i64>, ToolError> {
        let mut offsets = self.offsets(&Place::Latest)?;
        let mut found = std::collections::BTreeSet::new();
        self.read(&Place::Earliest, false, |record| {
            if record.timestamp_ms.is_some_and(|own| own >= at_ms) && found.insert(record.partition)
            {
                offsets.insert(record.partition, record.offset);
            }
            match found.len() == self.ends.len() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(offsets)
    }

    fn committed(&self) -> Result<BTreeMap<i32, i64>, ToolError> {
        let mut list = TopicPartitionList::new();
        for partition in self.ends.keys() {
            list.add_partition(&self.topic, *partition);
        }
        let committed = self
            .consumer
            .committed_offsets(list, QUESTION_MAX)
            .map_err(ToolError::broker("asking for the group's positions"))?;
        let mut offsets = self.offsets(&Place::Earliest)?;
        for element in committed.elements() {
            if let Offset::Offset(offset) = element.offset()
                && let Some(own) = offsets.get_mut(&element.partition())
            {
                *own = offset.max(*own);
            }
        }
        Ok(offsets)
    }

    /// Moves the group that was named at the start. Refused while it consumes.
    pub fn move_group(&self, group: &str, place: &Place) -> Result<BTreeMap<i32, i64>, ToolError> {
        let groups = self
            .consumer
            .fetch_group_list(Some(group), QUESTION_MAX)
            .map_err(ToolError::broker("asking for the group"))?;
        let active = |found: &rdkafka::groups::GroupInfo| {
            found.name() == group && !found.members().is_empty()
        };
        if groups.groups().iter().any(active) {
            return Err(ToolError::GroupIsActive(group.to_owned()));
        }
        let offsets = self.offsets(place)?;
        self.commit(&offsets)?;
        Ok(offsets)
    }

    /// Commits positions for the group that was named at the start.
    pub fn commit(&self, offsets: &BTreeMap<i32, i64>) -> Result<(), ToolError> {
        let list = self.list(offsets)?;
        self.consumer
            .commit(&list, CommitMode::Sync)
            .map_err(ToolError::broker("committing positions"))
    }
}
