//! Whether the broker is there, as far as anybody here has noticed. Logged when it changes, so that
//! an outage of an hour is two lines.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// What is known of the broker.
#[derive(Debug, Default)]
pub(crate) struct Health {
    down: AtomicBool,
}

impl Health {
    /// It did not answer, or not well; `what` is the client's word for it.
    pub(crate) fn failed(&self, what: &str) {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason = what, "the Kafka broker cannot be used now; events wait");
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// It did what it was asked to do.
    pub(crate) fn works(&self) {
        if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) {
            tracing::info!("the Kafka broker is back");
        }
    }
}

/// A client context that only logs: librdkafka's own words, which name brokers and topics and never
/// records, for those who look closely.
#[derive(Debug, Default)]
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
    }
}

impl ConsumerContext for Quiet {}

/// Passes on a line of librdkafka's. Its errors come once for each attempt of each connection, so
/// they are details; what matters is logged through [`Health`].
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    tracing::debug!(?level, facility, "librdkafka: {message}");
}
