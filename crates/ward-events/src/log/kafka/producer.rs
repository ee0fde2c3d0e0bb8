//! Sends records and says what became of each. One idempotent producer for the process; when
//! librdkafka declares it dead, which it does rather than break an order it has promised, the next
//! record makes another.

use std::sync::{Arc, PoisonError, RwLock};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use super::connection::Connection;
use super::trouble;
use crate::log::{Outgoing, Reply, SendError};

struct Context {
    connection: Connection,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        trouble::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka producer");
        trouble::noticed(self.connection.health(), &error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Reply>;

    fn delivery(&self, result: &DeliveryResult<'_>, reply: Box<Reply>) {
        let outcome = match result {
            Ok(_) => {
                self.connection.health().works();
                Ok(())
            }
            Err((error, _)) => Err(delivery_error(error)),
        };
        if let Err(SendError::Later(reason)) = &outcome {
            self.connection.health().failed(reason);
        }
        reply(outcome);
    }
}

/// The process's producer.
pub(super) struct Producer {
    connection: Connection,
    current: RwLock<Option<Arc<ThreadedProducer<Context>>>>,
}

impl Producer {
    /// A producer that connects when it is first used.
    pub(super) fn new(connection: Connection) -> Producer {
        Producer { connection, current: RwLock::default() }
    }

    /// Hands a record over. `reply` is called once, except when this fails at once.
    pub(super) fn send(
        &self,
        topic: &str,
        record: &Outgoing,
        reply: Reply,
    ) -> Result<(), SendError> {
        let producer = self.current()?;
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (name, value) in &record.headers {
            headers = headers.insert(Header { key: name, value: value.as_ref() });
        }
        let mut message = BaseRecord::with_opaque_to(topic, Box::new(reply)).headers(headers);
        if let Some(key) = &record.key {
            message = message.key(key);
        }
        if let Some(value) = &record.value {
            message = message.payload(value);
        }
        producer.send(message).map_err(|(error, _)| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => SendError::Full,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                SendError::Unsendable("it is too large".to_owned())
            }
            _ => delivery_error(&error),
        })
    }

    fn current(&self) -> Result<Arc<ThreadedProducer<Context>>, SendError> {
        let usable =
            |producer: &Arc<ThreadedProducer<Context>>| producer.client().fatal_error().is_none();
        {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(producer) = current.as_ref().filter(|producer| usable(producer)) {
                return Ok(producer.clone());
            }
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = current.as_ref().filter(|producer| usable(producer)) {
            return Ok(producer.clone());
        }
        if let Some((code, reason)) = current.as_ref().and_then(|p| p.client().fatal_error()) {
            tracing::warn!(%code, reason, "the Kafka producer gave up; another takes its place");
        }
        let context = Context { connection: self.connection.clone() };
        let producer = self.connection.producer().create_with_context(context);
        let producer: ThreadedProducer<Context> = producer
            .map_err(|error| SendError::Later(format!("setting up the client: {error}")))?;
        let producer = Arc::new(producer);
        if let Some(old) = current.replace(producer.clone()) {
            // Its end waits for its thread, which must not hold up this one.
            std::thread::spawn(move || drop(old));
        }
        Ok(producer)
    }
}

/// What a broker's or the client's refusal means for the record.
fn delivery_error(error: &KafkaError) -> SendError {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => {
            SendError::Refused("it is too large for the broker".to_owned())
        }
        Some(code @ (Code::InvalidMessage | Code::InvalidRecord | Code::InvalidTimestamp)) => {
            SendError::Refused(code.to_string())
        }
        Some(code) => SendError::Later(code.to_string()),
        None => SendError::Later(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::{SendError, delivery_error};

    #[test]
    fn only_what_is_about_the_record_counts_against_it() {
        let kind = |code| delivery_error(&KafkaError::MessageProduction(code));
        for code in [
            RDKafkaErrorCode::MessageTimedOut,
            RDKafkaErrorCode::Unknown,
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::Fatal,
            RDKafkaErrorCode::PurgeQueue,
        ] {
            assert!(matches!(kind(code), SendError::Later(_)), "{code:?}");
        }
        for code in [RDKafkaErrorCode::MessageSizeTooLarge, RDKafkaErrorCode::InvalidRecord] {
            assert!(matches!(kind(code), SendError::Refused(_)), "{code:?}");
        }
    }
}
