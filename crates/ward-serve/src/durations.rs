//! How long requests took, counted by whatever a trigger tells them apart by.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper ends of the classes that times are counted in, in seconds: what OpenTelemetry recommends,
/// and three below it, because most answers take less than its first.
const SECONDS: [f64; 17] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
    7.5, 10.0,
];

/// The durations of requests with labels of type `L`; a clone is the same numbers.
#[derive(Debug, Clone)]
pub struct Durations<L>(Family<L, Histogram, fn() -> Histogram>);

impl<L: Clone + Eq + Hash> Default for Durations<L> {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(SECONDS)))
    }
}

impl<L> Durations<L>
where
    L: EncodeLabelSet + Clone + Debug + Eq + Hash + Send + Sync + 'static,
{
    /// Has them shown, under a name to which the unit is added.
    pub fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        registry.register_with_unit(name, help, Unit::Seconds, self.0.clone());
    }

    /// One more.
    pub fn observe(&self, labels: &L, took: Duration) {
        self.0.get_or_create(labels).observe(took.as_secs_f64());
    }
}
