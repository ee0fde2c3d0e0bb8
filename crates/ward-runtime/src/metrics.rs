//! What is counted of what components do: calls over links, and connections to databases. Labels
//! are names that the manifest gives, and the servers that its addresses name.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::capabilities::postgres::PostgresService;

type Labels = [(&'static str, String); 4];

/// The numbers of all links.
#[derive(Debug, Default)]
pub(crate) struct LinkMetrics {
    calls: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
}

/// The numbers of one function that one component calls of another's.
#[derive(Debug)]
pub(crate) struct LinkCounts {
    pub(crate) calls: Counter,
    pub(crate) failures: Counter,
}

impl LinkMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Calls over links";
        registry.register("ward_link_calls", help, self.calls.clone());
        let help = "Calls over links that came to no answer";
        registry.register("ward_link_call_failures", help, self.failures.clone());
    }

    pub(crate) fn of(&self, caller: &str, callee: &str, interface: &str, name: &str) -> LinkCounts {
        let labels = [
            ("caller", caller.to_owned()),
            ("component", callee.to_owned()),
            ("interface", interface.to_owned()),
            ("function", name.to_owned()),
        ];
        LinkCounts {
            calls: self.calls.get_or_create_owned(&labels),
            failures: self.failures.get_or_create_owned(&labels),
        }
    }
}

/// Connections to database servers, counted when somebody looks.
#[derive(Debug)]
pub(crate) struct Connections(pub(crate) Arc<PostgresService>);

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (name, help) = ("ward_postgres_connections", "Connections to database servers");
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (server, counts) in self.0.counts() {
            for (state, count) in [("used", counts.used), ("idle", counts.idle)] {
                let labels = [("server", &*server), ("state", state)];
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                ConstGauge::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
