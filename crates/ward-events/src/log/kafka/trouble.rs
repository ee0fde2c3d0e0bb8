//! What librdkafka says when something is wrong, and what of it is for people.

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::log::Health;

/// A client's word on why it has no connection.
pub(super) fn noticed(health: &Health, error: &KafkaError, reason: &str) {
    if is_refusal(error, reason) {
        health.refused(reason);
    } else if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
        health.failed(reason);
    }
}

/// Whether it is about who is who: passwords, certificates. The client calls it that as well when a
/// broker ends while the two introduce themselves; then the reason is one of its own.
pub(super) fn is_refusal(error: &KafkaError, reason: &str) -> bool {
    use RDKafkaErrorCode::{Authentication, SSL};
    matches!(error.rdkafka_error_code(), Some(Authentication | SSL))
        && !reason.contains("failed: Local: ")
}

/// Passes on a line of librdkafka's. Its errors come once for each attempt of each connection, so
/// they are details; what matters is logged through [`Health`].
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    tracing::debug!(?level, facility, "librdkafka: {message}");
}

#[cfg(test)]
mod tests {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::is_refusal;

    #[test]
    fn a_broker_that_ends_while_it_is_introduced_refuses_nobody() {
        let error = KafkaError::Global(RDKafkaErrorCode::Authentication);
        assert!(is_refusal(&error, "SASL authentication error: Invalid username or password"));
        let ended = "SaslHandshakeRequest failed: Local: Broker transport failure";
        assert!(!is_refusal(&error, ended));
        let other = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        assert!(!is_refusal(&other, "1/1 brokers are down"));
    }
}
