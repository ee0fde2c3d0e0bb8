//! What relays and triggers have done, in numbers. Labels are names that the manifest gives.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::log::Log;

type Labels = [(&'static str, String); 2];

/// What one trigger has done since it started.
#[derive(Debug, Default)]
pub struct TriggerStats {
    /// Calls to the component.
    pub calls: Counter,
    /// Calls that came to nothing.
    pub failed: Counter,
    /// Records the component has applied or knew already.
    pub done: Counter,
    /// Records it asked to have again.
    pub retried: Counter,
    /// Records that were set aside.
    pub dead: Counter,
    /// Records without a value, which are passed over.
    pub tombstones: Counter,
    /// Records that were sent again for another group, which are passed over.
    pub for_others: Counter,
    /// Records that wait or are under way, now.
    pub waiting: Gauge,
}

/// What one relay has done since it started.
#[derive(Debug, Default)]
pub struct RelayStats {
    /// Events that the log has acknowledged.
    pub sent: Counter,
    /// Attempts that failed and are repeated.
    pub failed: Counter,
    /// Rows that can never be sent.
    pub set_aside: Counter,
    /// Published rows that were removed.
    pub removed: Counter,
    /// Connections to the database that were lost or could not be made.
    pub disconnected: Counter,
}

/// The numbers of all relays and triggers.
#[derive(Debug, Default)]
pub struct Metrics {
    sent: Family<Labels, Counter>,
    send_failed: Family<Labels, Counter>,
    set_aside: Family<Labels, Counter>,
    removed: Family<Labels, Counter>,
    disconnected: Family<Labels, Counter>,
    calls: Family<Labels, Counter>,
    call_failed: Family<Labels, Counter>,
    done: Family<Labels, Counter>,
    retried: Family<Labels, Counter>,
    dead: Family<Labels, Counter>,
    tombstones: Family<Labels, Counter>,
    for_others: Family<Labels, Counter>,
    waiting: Family<Labels, Gauge>,
}

impl Metrics {
    /// Has the numbers shown.
    pub fn register(&self, registry: &mut Registry) {
        let mut show = |name: &str, help: &str, metric: &Family<Labels, Counter>| {
            registry.register(name, help, metric.clone());
        };
        show("ward_outbox_sent", "Events that the log has acknowledged", &self.sent);
        show(
            "ward_outbox_send_failures",
            "Attempts that failed and are repeated",
            &self.send_failed,
        );
        show("ward_outbox_set_aside", "Events that can never be sent", &self.set_aside);
        show("ward_outbox_removed", "Published rows that were removed", &self.removed);
        show(
            "ward_outbox_database_failures",
            "Connections to the outbox's database that were lost or could not be made",
            &self.disconnected,
        );
        show("ward_consumer_calls", "Calls to the component", &self.calls);
        show("ward_consumer_call_failures", "Calls that came to nothing", &self.call_failed);
        show("ward_consumer_done", "Records that were applied or known already", &self.done);
        show(
            "ward_consumer_retries",
            "Records that the component asked to have again",
            &self.retried,
        );
        show("ward_consumer_dead_letters", "Records that were set aside", &self.dead);
        show("ward_consumer_tombstones", "Records without a value", &self.tombstones);
        show(
            "ward_consumer_for_others",
            "Records that were sent again for another group",
            &self.for_others,
        );
        let help = "Records here that are not answered for";
        registry.register("ward_consumer_waiting", help, self.waiting.clone());
    }

    /// Those of one relay.
    #[must_use]
    pub fn relay(&self, outbox: &str, topic: &str) -> RelayStats {
        let labels = [("outbox", outbox.to_owned()), ("topic", topic.to_owned())];
        RelayStats {
            sent: self.sent.get_or_create_owned(&labels),
            failed: self.send_failed.get_or_create_owned(&labels),
            set_aside: self.set_aside.get_or_create_owned(&labels),
            removed: self.removed.get_or_create_owned(&labels),
            disconnected: self.disconnected.get_or_create_owned(&labels),
        }
    }

    /// Those of one trigger.
    #[must_use]
    pub fn trigger(&self, id: &str, group: &str) -> TriggerStats {
        let labels = [("trigger", id.to_owned()), ("group", group.to_owned())];
        TriggerStats {
            calls: self.calls.get_or_create_owned(&labels),
            failed: self.call_failed.get_or_create_owned(&labels),
            done: self.done.get_or_create_owned(&labels),
            retried: self.retried.get_or_create_owned(&labels),
            dead: self.dead.get_or_create_owned(&labels),
            tombstones: self.tombstones.get_or_create_owned(&labels),
            for_others: self.for_others.get_or_create_owned(&labels),
            waiting: self.waiting.get_or_create_owned(&labels),
        }
    }
}

/// Whether a log could be used when something was last done with it, as a number.
pub struct LogUp(pub Arc<dyn Log>);

impl std::fmt::Debug for LogUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogUp").field(&self.0.name()).finish()
    }
}

impl Collector for LogUp {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Whether the event log could be used by the last event";
        let mut metric = encoder.encode_descriptor("ward_log_up", help, None, MetricType::Gauge)?;
        let labels = [("log", self.0.name())];
        ConstGauge::new(i64::from(self.0.is_up())).encode(metric.encode_family(&labels)?)
    }
}
