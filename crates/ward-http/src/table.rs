//! From an application to what is served where: the gateway with every public route, and a
//! listener for each component that has one of its own, with that component's routes alone.
//! What does not change from request to request is made here, header values included.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use thiserror::Error;
use ward_manifest::{Action, App, HttpTrigger, Route, StaticResponse};

use crate::pattern::Pattern;
use crate::request_log::Label;
use crate::router::Router;
use crate::well_known::WellKnown;

/// A trigger that cannot be served.
#[derive(Debug, Error)]
#[error("trigger `{trigger}`, route `{route}`: {problem}")]
pub struct RouteError {
    /// The trigger's id.
    pub trigger: String,
    /// Its route as written.
    pub route: String,
    /// What is wrong.
    pub problem: String,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The component the address belongs to; `None` for the gateway.
    pub component: Option<String>,
    /// Where to listen; port 0 picks a free one.
    pub address: SocketAddr,
}

/// What is served where: it is made whole, and never changes.
#[derive(Debug)]
pub struct Routes<H> {
    /// In the order of the listeners.
    tables: Vec<Table<H>>,
}

/// The routes of one listener.
#[derive(Debug)]
pub(crate) struct Table<H> {
    pub(crate) router: Router<Arc<RouteEntry<H>>>,
    /// What is under the reserved prefix; `None` on a component's own listener.
    pub(crate) well_known: Option<WellKnown>,
}

/// One route.
#[derive(Debug)]
pub(crate) struct RouteEntry<H> {
    pub(crate) matched_route: HeaderValue,
    pub(crate) component_route: HeaderValue,
    pub(crate) raw_route: HeaderValue,
    pub(crate) label: Arc<Label>,
    /// Whether the component wants Spin's headers.
    pub(crate) spin_headers: bool,
    pub(crate) target: Responder<H>,
}

/// What answers.
#[derive(Debug)]
pub(crate) enum Responder<H> {
    Component(H),
    Static(StaticAnswer),
}

/// A response that is always the same.
#[derive(Debug)]
pub(crate) struct StaticAnswer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl StaticAnswer {
    fn new(response: &StaticResponse) -> Result<Self, String> {
        let status = StatusCode::from_u16(response.status_code)
            .map_err(|_| format!("{} is not a status code", response.status_code))?;
        let mut headers = HeaderMap::with_capacity(response.headers.len());
        for (name, value) in &response.headers {
            let invalid = || format!("`{name}` is not a header, or its value is not");
            let name = HeaderName::try_from(name).map_err(|_| invalid())?;
            headers.insert(name, HeaderValue::try_from(value).map_err(|_| invalid())?);
        }
        Ok(Self { status, headers, body: Bytes::from(response.body.clone()) })
    }

    /// A copy to send; the body is shared.
    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// Where `app` is served, from its own settings: the gateway first, then each component's own
/// listener.
pub fn listeners(app: &App) -> Vec<Listener> {
    let gateway = Listener { component: None, address: app.settings.listen };
    let own = app.settings.listeners.iter().map(|(component, address)| Listener {
        component: Some(component.clone()),
        address: *address,
    });
    std::iter::once(gateway).chain(own).collect()
}

impl<H> Routes<H> {
    /// What `app` serves on its [`listeners`]. `handlers` finds what answers a trigger, by the
    /// trigger's id.
    ///
    /// # Errors
    /// The first trigger that cannot be served.
    pub fn new(app: &App, handlers: impl Fn(&str) -> Option<H>) -> Result<Routes<H>, RouteError> {
        let mut made = Vec::new();
        for (trigger, route) in public_routes(app) {
            let component = component_of(trigger).and_then(|id| app.components.get(id));
            let spin_headers = component.is_none_or(|component| component.settings.spin_headers);
            made.push((trigger, Arc::new(entry(trigger, route, spin_headers, &handlers)?)));
        }
        let table = |component: Option<&str>| -> Result<Table<H>, RouteError> {
            let mut routes = Vec::new();
            for (trigger, entry) in &made {
                let own = component.is_none() || component == component_of(trigger);
                if own {
                    routes.push((parse(trigger, &entry.label.route)?, entry.clone()));
                }
            }
            let well_known = component.is_none().then(|| WellKnown::new(app));
            Ok(Table { router: Router::new(routes), well_known })
        };
        let listeners = listeners(app);
        let tables = listeners.iter().map(|listener| table(listener.component.as_deref()));
        Ok(Self { tables: tables.collect::<Result<_, _>>()? })
    }

    /// That of the listener at this place.
    pub(crate) fn table(&self, listener: usize) -> Option<&Table<H>> {
        self.tables.get(listener)
    }
}

/// The routed triggers in the order of the file. Of triggers with the same route the last stands,
/// in the place of the first, as in Spin; the manifest's warnings name the one that is lost.
fn public_routes(app: &App) -> Vec<(&HttpTrigger, &str)> {
    let mut routes: Vec<(&HttpTrigger, &str)> = Vec::new();
    for trigger in &app.http_triggers {
        let Route::Public(route) = &trigger.route else { continue };
        match routes.iter_mut().find(|(_, earlier)| earlier == route) {
            Some(earlier) => earlier.0 = trigger,
            None => routes.push((trigger, route)),
        }
    }
    routes
}

fn component_of(trigger: &HttpTrigger) -> Option<&str> {
    match &trigger.action {
        Action::Component(id) => Some(id),
        Action::Static(_) => None,
    }
}

fn error(trigger: &HttpTrigger, route: &str, problem: impl Into<String>) -> RouteError {
    RouteError { trigger: trigger.id.clone(), route: route.to_owned(), problem: problem.into() }
}

fn parse(trigger: &HttpTrigger, route: &str) -> Result<Pattern, RouteError> {
    Pattern::parse(route).map_err(|problem| error(trigger, route, problem))
}

fn entry<H>(
    trigger: &HttpTrigger,
    route: &str,
    spin_headers: bool,
    handlers: impl Fn(&str) -> Option<H>,
) -> Result<RouteEntry<H>, RouteError> {
    let target = match &trigger.action {
        Action::Component(id) => Responder::Component(handlers(&trigger.id).ok_or_else(|| {
            error(trigger, route, format!("component `{id}` has no HTTP handler"))
        })?),
        Action::Static(response) => Responder::Static(
            StaticAnswer::new(response).map_err(|problem| error(trigger, route, problem))?,
        ),
    };
    let value = |text: &str| {
        HeaderValue::from_str(text).map_err(|_| error(trigger, route, "not a valid path"))
    };
    let label =
        Label { route: route.into(), component: component_of(trigger).unwrap_or_default().into() };
    Ok(RouteEntry {
        matched_route: value(&matched_route(route))?,
        component_route: value(route.strip_suffix("/...").unwrap_or(route))?,
        raw_route: value(route)?,
        label: Arc::new(label),
        spin_headers,
        target,
    })
}

/// `spin-matched-route`: begins with a slash and does not end with one, so that `/` is empty.
fn matched_route(route: &str) -> String {
    let absolute = if route.starts_with('/') { route.to_owned() } else { format!("/{route}") };
    absolute.strip_suffix('/').map(str::to_owned).unwrap_or(absolute)
}
