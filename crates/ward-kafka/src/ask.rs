//! A client for a question or two, and how it is asked so that a failure has its reason: what the
//! client answers when it has no connection says nothing of why. That comes as an event of its own,
//! which somebody has to read.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use crate::health;

/// How long one attempt takes. Between two the events are read.
const ATTEMPT: Duration = Duration::from_secs(1);

/// How long events are waited for, and how long for each: lines of the client's log come between.
const EVENTS: Duration = Duration::from_millis(200);
const EVENT: Duration = Duration::from_millis(20);

/// Why there is no connection.
#[derive(Debug)]
struct Trouble {
    reason: String,
    /// Waiting does not mend it.
    is_refusal: bool,
}

/// A client context that remembers the last trouble and passes librdkafka's own words on to the
/// debug log; they name brokers and topics and never records.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    last: Mutex<Option<Trouble>>,
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        health::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
        // That all brokers are down follows from the trouble before it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            let is_refusal = health::is_refusal(&error);
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(Trouble { reason: reason.to_owned(), is_refusal });
        }
    }
}

impl ConsumerContext for Quiet {}

/// Asks a broker for one topic or for all, for no longer than this. The error is why there was no
/// answer, as far as that is known; a refusal is not waited out.
pub(crate) fn ask(
    consumer: &BaseConsumer<Quiet>,
    topic: Option<&str>,
    longest: Duration,
) -> Result<Metadata, String> {
    let deadline = Instant::now() + longest;
    loop {
        let error = match consumer.fetch_metadata(topic, ATTEMPT.min(longest)) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        let trouble = trouble(consumer);
        let is_refusal = trouble.as_ref().is_some_and(|trouble| trouble.is_refusal);
        if is_refusal || Instant::now() >= deadline {
            return Err(trouble.map_or_else(|| error.to_string(), |trouble| trouble.reason));
        }
    }
}

fn trouble(consumer: &BaseConsumer<Quiet>) -> Option<Trouble> {
    let until = Instant::now() + EVENTS;
    while Instant::now() < until {
        drop(consumer.poll(EVENT));
    }
    consumer.context().last.lock().unwrap_or_else(PoisonError::into_inner).take()
}
