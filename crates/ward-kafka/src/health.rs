//! Whether the broker is there, as far as anybody here has noticed. Logged when it changes, so that
//! an outage of an hour is two lines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How often a refusal is said while it lasts. Clients try again several times a second.
const REFUSAL_EVERY: Duration = Duration::from_secs(600);

/// What is known of the broker.
#[derive(Debug, Default)]
pub(crate) struct Health {
    down: AtomicBool,
    /// When a refusal was last said.
    refused: Mutex<Option<Instant>>,
}

impl Health {
    /// It did not answer, or not well; `what` is the client's word for it.
    pub(crate) fn failed(&self, what: &str) {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason = what, "the Kafka broker cannot be used now; events wait");
        }
    }

    /// A client's word on why it has no connection. A refusal is said even when others still have
    /// one, or when it is known that the broker cannot be used: it takes somebody to mend it.
    pub(crate) fn noticed(&self, error: &KafkaError, reason: &str) {
        if is_refusal(error) {
            let mut said = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if said.is_none_or(|said| said.elapsed() >= REFUSAL_EVERY) {
                *said = Some(Instant::now());
                tracing::warn!(reason, "the Kafka broker and ward do not accept each other");
            }
        } else if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.failed(reason);
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

/// Whether it is about who is who: passwords, certificates.
pub(crate) fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{Authentication, SSL};
    matches!(error.rdkafka_error_code(), Some(Authentication | SSL))
}

/// Passes on a line of librdkafka's. Its errors come once for each attempt of each connection, so
/// they are details; what matters is logged through [`Health`].
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    tracing::debug!(?level, facility, "librdkafka: {message}");
}
