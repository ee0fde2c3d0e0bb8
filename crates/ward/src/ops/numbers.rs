//! What is counted, for those who run Ward: numbers and the names that the manifest gives, nothing
//! of what a request or an event is about.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use ward_events::{Log, LogUp};
use ward_runtime::Host;

/// What is counted, wherever that happens.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) http: ward_http::Metrics,
    pub(crate) grpc: ward_grpc::Metrics,
    pub(crate) events: ward_events::Metrics,
}

impl Metrics {
    /// All of it, with what the runtime and the event log know.
    pub(crate) fn registry(&self, host: &Host, log: Option<&Arc<dyn Log>>) -> Registry {
        let mut registry = Registry::default();
        self.http.register(&mut registry);
        self.grpc.register(&mut registry);
        self.events.register(&mut registry);
        host.register(&mut registry);
        if let Some(log) = log {
            registry.register_collector(Box::new(LogUp(log.clone())));
        }
        registry
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::ops::answers::numbers;

    #[test]
    fn the_page() {
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.events.register(&mut registry);
        let (relay, trigger) =
            (metrics.events.relay("a\"b\\c\nd", "t"), metrics.events.trigger("x", "g"));
        relay.sent.inc_by(3);
        trigger.waiting.set(2);
        let page = numbers(&registry);
        let page = std::str::from_utf8(page.body()).unwrap();
        let samples = page.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
        expect![[r#"
            ward_outbox_sent_total{outbox="a\"b\\c\nd",topic="t"} 3
            ward_outbox_send_failures_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_set_aside_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_removed_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_database_failures_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_consumer_calls_total{trigger="x",group="g"} 0
            ward_consumer_call_failures_total{trigger="x",group="g"} 0
            ward_consumer_done_total{trigger="x",group="g"} 0
            ward_consumer_retries_total{trigger="x",group="g"} 0
            ward_consumer_dead_letters_total{trigger="x",group="g"} 0
            ward_consumer_tombstones_total{trigger="x",group="g"} 0
            ward_consumer_for_others_total{trigger="x",group="g"} 0
            ward_consumer_waiting{trigger="x",group="g"} 2"#]]
        .assert_eq(&samples.join("\n"));
    }
}
