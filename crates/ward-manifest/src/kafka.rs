//! What the manifest says of Kafka, checked: how the broker is reached, which outbox tables are
//! sent to which topics, and which components consume what. Plain data like the rest of the `App`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::template::Template;

/// `[application.trigger.kafka]`.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `brokers`: a template over the application's variables, which comes to `host:port`, several
    /// of them with commas between, or nothing where a broker is still to be provided.
    pub brokers: String,
    /// `client`: security settings of the Kafka client by its own names (`security.protocol`,
    /// `sasl.…`, `ssl.…`, `socket.…`); values are templates.
    pub client: BTreeMap<String, String>,
    /// `contracts`: the directory with one WIT package in each subdirectory; `wit` by default.
    pub contracts: PathBuf,
    /// `partitions` of topics that Ward makes; 6 by default.
    pub partitions: u32,
    /// `replicas` of topics that Ward makes; 1 by default.
    pub replicas: u32,
    /// `keep_records`: how long a record stays in topics that Ward makes; 7 days by default.
    pub keep_records: Duration,
    /// `keep_published`: how long a row stays after its event was sent; 24 h by default.
    pub keep_published: Duration,
    /// `essential`: whether the application counts as ready only while the log can be reached;
    /// false by default, since changes are accepted without it.
    pub essential: bool,
    /// `[[application.trigger.kafka.outbox]]`, in the order of the file.
    pub outboxes: Vec<Outbox>,
}

impl KafkaSettings {
    /// The application's variables that `brokers` is made from.
    #[must_use]
    pub fn broker_variables(&self) -> BTreeSet<String> {
        names(std::iter::once(&self.brokers))
    }

    /// The one variable that `brokers` consists of, if that is all it is: whoever starts the
    /// application says with it where the broker is.
    #[must_use]
    pub fn broker_variable(&self) -> Option<String> {
        Template::parse(&self.brokers).ok()?.only_name().map(str::to_owned)
    }

    /// The application's variables that `client` is made from.
    #[must_use]
    pub fn client_variables(&self) -> BTreeSet<String> {
        names(self.client.values())
    }
}

/// The variables in templates, which were checked when the manifest was read.
fn names<'a>(templates: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let parsed = templates.filter_map(|template| Template::parse(template).ok());
    parsed.flat_map(|template| template.names().map(str::to_owned).collect::<Vec<_>>()).collect()
}

impl fmt::Debug for KafkaSettings {
    /// Shows only the names of client settings, since people write passwords into them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("client", &self.client.keys())
            .field("contracts", &self.contracts)
            .field("partitions", &self.partitions)
            .field("replicas", &self.replicas)
            .field("keep_records", &self.keep_records)
            .field("keep_published", &self.keep_published)
            .field("essential", &self.essential)
            .field("outboxes", &self.outboxes)
            .finish()
    }
}

/// One `[[application.trigger.kafka.outbox]]`: the outbox of a service and where it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// The component whose database has the table.
    pub component: String,
    /// The topic.
    pub topic: String,
    /// The WIT interface with the event's record, such as `shop:orders/events@1.0.0`.
    pub interface: String,
    /// The record's name in WIT, such as `order-event`.
    pub record: String,
    /// The record's field that holds the aggregate's id, by its name in WIT.
    pub key: String,
    /// `ce_source` of the events; `/<component>` by default.
    pub source: String,
    /// Types of events with which the log forgets what it has of their aggregate; none by default.
    pub erased_by: Vec<String>,
}

/// One `[[trigger.kafka]]`: topics, and the component that consumes them as one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaTrigger {
    /// `id`, or the default `<component>-kafka-trigger` as Spin names it.
    pub id: String,
    /// The component that consumes.
    pub component: String,
    /// The WIT interface with `function`, such as `shop:orders/consumer@1.0.0`.
    pub interface: String,
    /// The function that is called; `consume` by default.
    pub function: String,
    /// `topic` or `topics`; never empty.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// Where a group without a position begins.
    pub from: StartFrom,
    /// `batch_size`: the most records in one call; 500 by default.
    pub batch_records_max: u32,
    /// `batch_time`: how long a batch that is not full waits for more; 0 by default, because what
    /// arrives during a call makes the next batch anyway.
    pub batch_wait: Duration,
    /// `concurrency`: the most calls at a time, each for another partition; 4 by default.
    pub concurrency: u32,
    /// `retries`: how often a record may be refused for now while others pass; 8 by default.
    pub retries: u32,
    /// `patience`: how long a record is tried when nothing else passes either; 10 min by default.
    pub patience: Duration,
    /// `dead_letter`: the topic for what cannot be consumed; `<topic>.dead-letter` by default.
    pub dead_letter: Option<String>,
}

impl KafkaTrigger {
    /// Where records of a topic go that cannot be consumed.
    #[must_use]
    pub fn dead_letter_of(&self, topic: &str) -> String {
        self.dead_letter.clone().unwrap_or_else(|| format!("{topic}.dead-letter"))
    }
}

/// Where a group that has no position yet begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFrom {
    /// With the oldest record: the default, so that a new consumer misses nothing.
    Earliest,
    /// With what comes next.
    Latest,
}
