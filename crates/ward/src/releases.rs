//! What is served, and how something else takes its place: a release is made beside the one that
//! serves, tried, and published by one store; what has begun by then ends where it began. Whether
//! it is a start, a swap or the way back makes no difference here, and none to the triggers, which
//! ask for what is current and know no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ward_events::{Consume, Consumer};
use ward_grpc::Offer;
use ward_http::Routes;
use ward_manifest::App;
use ward_runtime::{Function, Host, HttpHandler, Release};
use ward_serve::Current;

use crate::events::Component;
use crate::failure::Failure;
use crate::grpc;

/// One release as the triggers have it.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) release: Arc<Release>,
    routes: Arc<Routes<HttpHandler>>,
    offer: Arc<Offer<Function>>,
    /// By the trigger.
    consumers: BTreeMap<String, Arc<Component>>,
}

impl Published {
    /// What the triggers of `app` make of a release.
    pub(crate) fn new(app: &App, host: &Host, release: Release) -> Result<Self, Failure> {
        let release = Arc::new(release);
        let routes = Routes::new(app, |trigger| release.http(trigger)).map_err(Failure::new)?;
        let offer = grpc::offer(app, host, &release)?;
        let consumers = app.kafka_triggers.iter().map(|trigger| {
            let component = Component::of(trigger, &release)
                .map_err(Failure::because(format!("the trigger {}", trigger.id)))?;
            Ok((trigger.id.clone(), Arc::new(component)))
        });
        let consumers = consumers.collect::<Result<_, Failure>>()?;
        Ok(Self { routes: Arc::new(routes), offer: Arc::new(offer), consumers, release })
    }
}

/// The application that is served.
#[derive(Debug)]
pub(crate) struct Releases {
    current: ArcSwap<Published>,
}

impl Releases {
    /// Begins with this one.
    pub(crate) fn new(first: Published) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::from_pointee(first) })
    }

    /// What is served now.
    pub(crate) fn current(&self) -> Arc<Published> {
        self.current.load_full()
    }

    /// The HTTP trigger's view.
    pub(crate) fn routes(self: &Arc<Self>) -> Current<Routes<HttpHandler>> {
        let releases = self.clone();
        Current::new(move || releases.current.load().routes.clone())
    }

    /// The gRPC trigger's view.
    pub(crate) fn offer(self: &Arc<Self>) -> Current<Offer<Function>> {
        let releases = self.clone();
        Current::new(move || releases.current.load().offer.clone())
    }

    /// The view of a trigger of events; `None` where there is none of this id.
    pub(crate) fn consumer(self: &Arc<Self>, trigger: &str) -> Option<Consumer> {
        let first = self.current().consumers.get(trigger)?.clone();
        let (releases, trigger) = (self.clone(), trigger.to_owned());
        Some(Box::new(move || -> Arc<dyn Consume> {
            let published = releases.current.load();
            published.consumers.get(&trigger).unwrap_or(&first).clone()
        }))
    }
}
