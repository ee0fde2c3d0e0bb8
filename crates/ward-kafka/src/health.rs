//! Whether the broker is there, as far as anybody here has noticed. Logged when it changes, so that
//! an outage of an hour is two lines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::ask::Trouble;

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
        if is_refusal(error, reason) {
            self.refused(reason);
        } else if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.failed(reason);
        }
    }

    /// It could not be used at all, for this reason.
    pub(crate) fn troubled(&self, trouble: &Trouble) {
        if trouble.is_refusal {
            self.down.store(true, Ordering::Relaxed);
            self.refused(&trouble.reason);
        } else {
            self.failed(&trouble.reason);
        }
    }

    fn refused(&self, reason: &str) {
        let mut said = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= REFUSAL_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(reason, "the Kafka broker and ward do not accept each other");
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// It did what it was asked to do.
    pub(crate) fn works(&self) {
        if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
            tracing::info!("the Kafka broker is back");
        }
    }
}

/// Whether it is about who is who: passwords, certificates. The client calls it that as well when a
/// broker ends while the two introduce themselves; then the reason is one of its own.
pub(crate) fn is_refusal(error: &KafkaError, reason: &str) -> bool {
    use RDKafkaErrorCode::{Authentication, SSL};
    matches!(error.rdkafka_error_code(), Some(Authentication | SSL))
        && !reason.contains("failed: Local: ")
}

/// Passes on a line of librdkafka's. Its errors come once for each attempt of each connection, so
/// they are details; what matters is logged through [`Health`].
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    tracing::debug!(?level, facility, "librdkafka: {message}");
}

#[cfg(test)]
mod tests {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::{Health, is_refusal};
    use crate::ask::Trouble;

    #[test]
    fn a_broker_that_ends_while_it_is_introduced_refuses_nobody() {
        let error = KafkaError::Global(RDKafkaErrorCode::Authentication);
        assert!(is_refusal(&error, "SASL authentication error: Invalid username or password"));
        let ended = "SaslHandshakeRequest failed: Local: Broker transport failure";
        assert!(!is_refusal(&error, ended));
        let other = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        assert!(!is_refusal(&other, "1/1 brokers are down"));
    }

    #[test]
    fn who_is_refused_is_down_until_something_works() {
        let health = Health::default();
        health.troubled(&Trouble { reason: "wrong password".to_owned(), is_refusal: true });
        assert!(health.is_down() && health.refused.lock().unwrap().is_some());
        health.works();
        assert!(!health.is_down() && health.refused.lock().unwrap().is_none());
    }
}
