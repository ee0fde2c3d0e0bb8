//! What is served where, on `ward-serve`: the gateway and the components' own listeners are one
//! server, which shares its limits among them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::Scheme;
use ward_serve::{Certificate, Current, Door, Drained, Limits, Protocol, Proxies};

use crate::browser::Browsers;
use crate::handler::Handler;
use crate::metrics::Metrics;
use crate::service::{self, Service};
use crate::table::{Listener, Routes};

/// How the server behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What clients and responses may cost.
    pub limits: Limits,
    /// The certificate to serve with; clear text where there is none.
    pub tls: Option<Arc<Certificate>>,
    /// The proxies that are believed about whom they speak for.
    pub proxies: Proxies,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// The origins whose pages may call, such as `https://shop.example`.
    pub origins: Vec<HeaderValue>,
    /// Whether listeners on loopback answer to the names of this machine only.
    pub local_names_only: bool,
}

/// A listener that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The component it belongs to; `None` for the gateway.
    pub component: Option<String>,
    /// Its address, with the port that was picked where the listener left that open.
    pub address: SocketAddr,
    /// Whether clients have to speak TLS.
    pub is_tls: bool,
}

/// Listeners that are open, and what is served on them.
#[derive(Debug)]
pub struct Server<H: Handler> {
    server: ward_serve::Server<Service<H>>,
    bound: Vec<Bound>,
}

impl<H: Handler> Server<H> {
    /// Opens every listener, or none, to serve on them the current routes of the same
    /// application. Nothing is accepted before [`Server::run`], but the kernel already queues
    /// connections. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// The first address that cannot be had: which, for whom, and why.
    pub fn bind(
        listeners: Vec<Listener>,
        routes: &Current<Routes<H>>,
        options: Options,
    ) -> io::Result<Self> {
        let Options { limits, tls, proxies, metrics, origins, local_names_only } = options;
        let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let keep_alive = service::keep_alive(limits.idle_time_max);
        let (mut doors, mut whose) = (Vec::new(), Vec::new());
        for (listener, Listener { component, address }) in listeners.into_iter().enumerate() {
            whose.push((address, component));
            let (scheme, metrics, keep_alive) =
                (scheme.clone(), metrics.clone(), keep_alive.clone());
            let browsers = Browsers {
                origins: origins.clone(),
                is_tls: tls.is_some(),
                local_names_only: local_names_only && address.ip().is_loopback(),
            };
            let routes = routes.clone();
            let service = Service { listener, routes, scheme, browsers, metrics, keep_alive };
            doors.push(Door { address, service: Arc::new(service) });
        }
        let protocol = Protocol::Any;
        let options = ward_serve::Options { limits, protocol, tls, proxies };
        let server = ward_serve::Server::bind(doors, options).map_err(|(address, error)| {
            let component = whose.iter().find(|(wanted, _)| *wanted == address);
            let whose = component.and_then(|(_, id)| id.as_deref()).unwrap_or("the gateway");
            let problem = format!("cannot listen on {address} for {whose}: {error}");
            io::Error::new(error.kind(), problem)
        })?;
        let is_tls = server.is_tls();
        let bound = whose.into_iter().zip(server.addresses());
        let bound =
            bound.map(|((_, component), address)| Bound { component, address: *address, is_tls });
        Ok(Self { bound: bound.collect(), server })
    }

    /// The open listeners, in the order they were given.
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// Serves until `shutdown` completes, and then stops within the limits' `drain_time_max`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        self.server.run(shutdown).await
    }
}
