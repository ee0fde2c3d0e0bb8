//! What the host itself answers, without a token: `grpc.health.v1` for every service and for the
//! whole, and reflection (v1 and v1alpha) from the derived descriptors. Both tell what a client has
//! to know before it can have a token, and neither reaches a component.

use std::convert::Infallible;
use std::pin::Pin;

use http::{Request, Response};
use tonic::body::Body as TonicBody;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::{v1, v1alpha};
use tower_service::Service as TowerService;
use ward_serve::{Current, Inbound};

use crate::invoke::Invoke;
use crate::offer::Offer;
use crate::reflection::{Index, Reflection};

/// The longest question anybody has for these services: the name of a symbol.
const QUESTION_BYTES_MAX: usize = 16 * 1024;

type Answer = Pin<Box<dyn Future<Output = Response<TonicBody>> + Send>>;
type Answerer = Box<dyn Fn(Request<Inbound>) -> Answer + Send + Sync>;

/// The host's own services.
pub(crate) struct Builtin {
    /// By the name of the service.
    services: Vec<(&'static str, Answerer)>,
    health: HealthReporter,
    names: Vec<String>,
}

impl Builtin {
    /// Health for what is offered, and reflection if it is wanted. The services' names are the
    /// manifest's, so they are the same in every offer.
    pub(crate) async fn new<I: Invoke>(offer: &Current<Offer<I>>, reflection: bool) -> Self {
        let mut health = HealthReporter::new();
        let names: Vec<String> = offer.get().names().map(str::to_owned).collect();
        let server = HealthServer::new(HealthService::from_health_reporter(health.clone()))
            .max_decoding_message_size(QUESTION_BYTES_MAX);
        set_all(&mut health, &names, ServingStatus::Serving).await;
        let mut builtin = Self { services: vec![answerer(server)], health, names };
        if reflection {
            let offer = offer.clone();
            builtin.reflect(Current::new(move || offer.get().index.clone()));
        }
        builtin
    }

    fn reflect(&mut self, index: Current<Index>) {
        let v1 = v1::ServerReflectionServer::new(Reflection(index.clone()));
        self.services.push(answerer(v1.max_decoding_message_size(QUESTION_BYTES_MAX)));
        let v1alpha = v1alpha::ServerReflectionServer::new(Reflection(index));
        self.services.push(answerer(v1alpha.max_decoding_message_size(QUESTION_BYTES_MAX)));
    }

    /// What answers at a path, if it is one of these.
    pub(crate) fn find(&self, path: &str) -> Option<&Answerer> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        self.services.iter().find(|(name, _)| *name == service).map(|(_, answerer)| answerer)
    }

    /// Tells everyone who asks or watches that nothing is serving any more.
    pub(crate) async fn stop_serving(&self) {
        set_all(&mut self.health.clone(), &self.names, ServingStatus::NotServing).await;
    }

    /// Ends the streams of those who watch.
    pub(crate) async fn end_watches(&self) {
        let mut health = self.health.clone();
        for name in all(&self.names) {
            health.clear_service_status(name).await;
        }
    }
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builtin").field("names", &self.names).finish_non_exhaustive()
    }
}

/// Whether a call to one of these may have more than one answer.
pub(crate) fn is_stream(path: &str) -> bool {
    path != "/grpc.health.v1.Health/Check"
}

/// Whether a call to one of these goes on for as long as the client likes, and is quiet meanwhile.
pub(crate) fn is_watch(path: &str) -> bool {
    path == "/grpc.health.v1.Health/Watch"
}

/// The services' names, and the empty one, which stands for all of them.
fn all(names: &[String]) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(names.iter().map(String::as_str))
}

async fn set_all(health: &mut HealthReporter, names: &[String], status: ServingStatus) {
    for name in all(names) {
        health.set_service_status(name, status).await;
    }
}

fn answerer<S>(service: S) -> (&'static str, Answerer)
where
    S: TowerService<Request<Inbound>, Response = Response<TonicBody>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let answerer = move |request| -> Answer {
        let answer = service.clone().call(request);
        Box::pin(async move {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
    };
    (S::NAME, Box::new(answerer))
}
