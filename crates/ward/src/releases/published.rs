//! One release as the triggers have it: made whole, and never changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ward_events::Consume;
use ward_grpc::Offer;
use ward_http::Routes;
use ward_runtime::{Function, Host, HttpHandler, Release};

use super::counts::{Counted, Counts, Tally};
use crate::events::Component;
use crate::failure::Failure;
use crate::grpc;

/// A release, and what each trigger makes of it.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) release: Arc<Release>,
    pub(super) routes: Arc<Routes<Counted<HttpHandler>>>,
    pub(super) offer: Arc<Offer<Counted<Function>>>,
    /// By the trigger.
    consumers: BTreeMap<String, Arc<Component>>,
    counts: BTreeMap<String, Arc<Counts>>,
}

impl Published {
    /// What the application's triggers make of a release.
    pub(super) fn new(host: &Host, release: Release) -> Result<Self, Failure> {
        let app = host.app();
        let release = Arc::new(release);
        let counts = app.components.keys().map(|id| (id.clone(), Arc::default()));
        let counts: BTreeMap<String, Arc<Counts>> = counts.collect();
        let of = |component: &str| counts.get(component).cloned().unwrap_or_default();
        let handler = |trigger: &str| {
            let inner = release.http(trigger)?;
            Some(Counted { counts: of(inner.component()), inner })
        };
        let routes = Routes::new(app, handler).map_err(Failure::new)?;
        let function = |component: &str, interface: &str, name: &str| {
            let inner = release.function(component, interface, name)?;
            Some(Counted { counts: of(component), inner })
        };
        let offer = grpc::offer(host, &release, function)?;
        let consumers = app.kafka_triggers.iter().map(|trigger| {
            let component = Component::of(trigger, function)
                .map_err(Failure::because(format!("the trigger {}", trigger.id)))?;
            Ok((trigger.id.clone(), Arc::new(component)))
        });
        let consumers = consumers.collect::<Result<_, Failure>>()?;
        Ok(Self { routes: Arc::new(routes), offer: Arc::new(offer), consumers, counts, release })
    }

    /// What a trigger of events calls.
    pub(super) fn consumer(&self, trigger: &str) -> Option<Arc<dyn Consume>> {
        self.consumers.get(trigger).map(|component| component.clone() as Arc<dyn Consume>)
    }

    /// What of `before` relies on records that are others here: a sentence for each.
    pub(super) fn consumes_otherwise(&self, before: &Published) -> Vec<String> {
        let other = |(trigger, consumer): (&String, &Arc<Component>)| {
            let same = self.consumers.get(trigger).is_some_and(|it| it.takes_the_same(consumer));
            (!same).then(|| format!("the trigger {trigger}: the function takes other records"))
        };
        before.consumers.iter().filter_map(other).collect()
    }

    /// What came of everything that began with one of these components.
    pub(super) fn tally(&self, components: &[String]) -> Tally {
        let counts = components.iter().filter_map(|id| self.counts.get(id));
        counts.fold(Tally::default(), |sum, counts| sum.and(&counts.tally()))
    }
}
