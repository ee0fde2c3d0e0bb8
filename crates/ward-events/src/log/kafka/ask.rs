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

use super::{advertised, trouble};
use crate::log::Trouble;

/// How long the first attempt takes; each further one twice as long. Between two the events are
/// read.
const ATTEMPT: Duration = Duration::from_secs(1);

/// How long events are waited for, and how long for each: lines of the client's log come between.
const EVENTS: Duration = Duration::from_millis(200);
const EVENT: Duration = Duration::from_millis(20);

/// A client context that remembers the last trouble, a refusal above all, and passes librdkafka's
/// own words on to the debug log.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    last: Mutex<Option<Trouble>>,
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        trouble::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
        // That all brokers are down follows from the trouble before it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            let is_refusal = trouble::is_refusal(&error, reason);
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if is_refusal || !last.as_ref().is_some_and(|last| last.is_refusal) {
                *last = Some(Trouble { reason: reason.to_owned(), is_refusal });
            }
        }
    }
}

impl ConsumerContext for Quiet {}

/// Asks the brokers that were given (`given`) for one topic or for all, for about as long as this.
/// The error is why there was no answer, as far as that is known; a refusal is not waited out.
pub(super) fn ask(
    consumer: &BaseConsumer<Quiet>,
    (topic, given): (Option<&str>, &str),
    longest: Duration,
) -> Result<Metadata, Trouble> {
    let deadline = Instant::now() + longest;
    let mut attempt = ATTEMPT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let error = match consumer.fetch_metadata(topic, attempt.min(left)) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        let trouble = last_trouble(consumer).unwrap_or_else(|| Trouble::passing(error));
        if trouble.is_refusal || Instant::now() >= deadline {
            return Err(advertised::explained(trouble, given));
        }
        attempt *= 2;
    }
}

/// The trouble so far. The client says the same thing no more than twice in half a minute, so it is
/// kept from one attempt to the next.
fn last_trouble(consumer: &BaseConsumer<Quiet>) -> Option<Trouble> {
    let until = Instant::now() + EVENTS;
    while Instant::now() < until {
        drop(consumer.poll(EVENT));
    }
    consumer.context().last.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
