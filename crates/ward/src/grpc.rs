//! The gRPC trigger of an application: reads from the components what they export, and opens the
//! listener. What is served, and how, is for `ward-grpc`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use ward_grpc::{Current, Offer, Options, Revoked, Server};
use ward_manifest::{App, RevokedSettings, Variables};
use ward_runtime::{Function, Host, Release};
use ward_wire::{Contract, compat};

use crate::failure::Failure;
use crate::releases::Counted;
use crate::serving::Serving;

/// Applies `--grpc-listen`. With a gateway on a port that the system picks, this one is, too:
/// whoever asks for that wants nothing fixed.
pub(crate) fn apply(app: &mut App, gateway: Option<SocketAddr>, listen: Option<SocketAddr>) {
    match (listen, gateway) {
        (Some(listen), _) => app.grpc.listen = listen,
        (None, Some(gateway)) if gateway.port() == 0 => app.grpc.listen.set_port(0),
        (None, _) => {}
    }
}

/// Where the application is served over gRPC, if it is.
pub(crate) fn address(app: &App) -> Option<SocketAddr> {
    (!app.grpc_triggers.is_empty()).then_some(app.grpc.listen)
}

/// What a release offers.
pub(crate) fn offer<I>(
    host: &Host,
    release: &Release,
    function: impl Fn(&str, &str, &str) -> Option<I>,
) -> Result<Offer<I>, Failure> {
    Ok(Offer::new(host.app(), |component| contract(host, release, component), function)?)
}

/// Opens the listener, if there is anything to serve.
pub(crate) async fn bind(
    host: &Host,
    offer: Current<Offer<Counted<Function>>>,
    variables: &Variables,
    (serving, metrics): (&Serving, &ward_grpc::Metrics),
) -> Result<Option<Server<Counted<Function>>>, Failure> {
    let app = host.app();
    if app.grpc_triggers.is_empty() {
        return Ok(None);
    }
    let mut options = Options::new(&app.grpc, variables).map_err(Failure::new)?;
    options.limits.server = serving.limits(options.limits.server);
    options.tls = options.tls.or_else(|| serving.tls.clone());
    options.proxies = serving.proxies.clone();
    options.metrics = metrics.clone();
    let settings = app.grpc.token.as_ref().and_then(|token| token.revoked.as_ref());
    options.revoked = settings.map(|settings| revoked(settings, host)).transpose()?;
    let server = Server::bind(offer, options).await.map_err(Failure::new)?;
    Ok(Some(server))
}

/// Sessions that have ended, in a key-value store.
fn revoked(settings: &RevokedSettings, host: &Host) -> Result<Revoked, Failure> {
    let RevokedSettings { store: label, prefix } = settings;
    let store = host.store(label).ok_or_else(|| {
        let table = "[application.trigger.grpc] token.revoked";
        Failure::new(format!("{table}: there is no key-value store `{label}`"))
            .help("name one of [application.tool.ward.key_value], or `default`")
    })?;
    let look = move |key: String| -> BoxFuture<'static, Result<bool, String>> {
        let store = store.clone();
        Box::pin(async move { store.exists(key).await })
    };
    Ok(Revoked::new(prefix, Arc::new(look)))
}

/// What clients of gRPC would miss in the second of two releases.
pub(crate) fn broken(
    host: &Host,
    (before, after): (&Release, &Release),
) -> Result<Vec<String>, Failure> {
    let app = host.app();
    let mut broken = Vec::new();
    let served: BTreeSet<&str> =
        app.grpc_triggers.iter().map(|trigger| trigger.component.as_str()).collect();
    for component in served {
        let digest = |of: &Release| of.digest(&app.components.get(component)?.source).cloned();
        if digest(before) == digest(after) {
            continue;
        }
        let read = |of: &Release| contract(host, of, component).map_err(Failure::new);
        let (old, new) = (read(before)?, read(after)?);
        let interfaces = app.grpc_triggers.iter().filter(|it| it.component == component);
        let interfaces: Vec<&str> =
            interfaces.filter_map(|it| it.interface.split('@').next()).collect();
        let findings = compat::check(&old, &new).into_iter();
        let theirs =
            findings.filter(|it| interfaces.iter().any(|interface| it.item.starts_with(interface)));
        broken.extend(theirs.map(|finding| format!("component `{component}`: {finding}")));
    }
    Ok(broken)
}

/// What a component exports, out of the very bytes that are served.
fn contract(host: &Host, release: &Release, component: &str) -> Result<Contract, String> {
    let Some(component) = host.app().components.get(component) else {
        return Err(format!("there is no component `{component}`"));
    };
    let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", component.id);
    let wasm = host.wasm(release, &component.source).map_err(|error| problem(&error))?;
    Contract::from_component(&wasm).map_err(|error| problem(&error))
}
