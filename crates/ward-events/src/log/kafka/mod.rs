//! Kafka, by librdkafka: the log for production. Whatever is a peculiarity of that client's is in
//! here.

mod addresses;
mod advertised;
mod ask;
mod connection;
mod consumer;
mod producer;
mod topics;
mod trouble;
mod view;

use futures::future::BoxFuture;
use tokio::sync::mpsc;

pub use connection::{Connection, ConnectionError, Seen};

use super::{
    Health, Log, Member, Membership, News, Outgoing, Reply, SendError, ToolError, TopicShape,
    Trouble, Unmade, View,
};
use producer::Producer;

/// A Kafka broker as a log.
pub struct KafkaLog {
    connection: Connection,
    producer: Producer,
}

impl KafkaLog {
    /// The log of a broker; nothing is connected before it is used.
    #[must_use]
    pub fn new(connection: Connection) -> KafkaLog {
        let producer = Producer::new(connection.clone());
        KafkaLog { connection, producer }
    }

    fn health(&self) -> &Health {
        self.connection.health()
    }
}

impl Log for KafkaLog {
    fn append(&self, topic: &str, record: &Outgoing, reply: Reply) -> Result<(), SendError> {
        self.producer.send(topic, record, reply)
    }

    fn ensure_topics<'l>(
        &'l self,
        topics: &'l [String],
        shape: TopicShape,
    ) -> BoxFuture<'l, Result<Vec<Unmade>, Trouble>> {
        Box::pin(topics::ensure_topics(&self.connection, topics, shape))
    }

    fn join(
        &self,
        membership: &Membership,
        news: mpsc::Sender<News>,
    ) -> Result<Box<dyn Member>, String> {
        Ok(Box::new(consumer::Consumer::start(&self.connection, membership, news)?))
    }

    fn look<'l>(
        &'l self,
        topic: &'l str,
        group: &'l str,
    ) -> BoxFuture<'l, Result<Box<dyn View>, ToolError>> {
        Box::pin(view::open(self.connection.clone(), topic.to_owned(), group.to_owned()))
    }

    /// Nobody can take out a record of a broker's.
    fn forgets(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        self.health().name()
    }

    fn is_up(&self) -> bool {
        self.health().is_up()
    }

    fn tried(&self, outcome: Result<(), &Trouble>) {
        match outcome {
            Ok(()) => self.health().works(),
            Err(trouble) => self.health().troubled(trouble),
        }
    }
}
