//! The services of an application on one listener. As the server stops they are said not to be
//! serving, clients are told to go, running calls end or are cut at the deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use token::Trust;
use ward_serve::{Current, Door, Drained, Protocol};

use crate::builtin::Builtin;
use crate::invoke::Invoke;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::offer::Offer;
use crate::options::Options;
use crate::refused::Refusals;
use crate::revoked::Revoked;

/// Why a server was not started.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address cannot be had.
    #[error("cannot listen on {0} for gRPC: {1}")]
    Address(SocketAddr, io::Error),
}

/// What is served.
#[derive(Debug)]
pub(crate) struct Services<I> {
    pub(crate) limits: Limits,
    pub(crate) offer: Current<Offer<I>>,
    pub(crate) builtin: Builtin,
    pub(crate) trust: Option<Arc<Trust>>,
    pub(crate) revoked: Option<Revoked>,
    pub(crate) refusals: Refusals,
    pub(crate) metrics: Metrics,
}

/// A listener that is open, and what is served on it.
#[derive(Debug)]
pub struct Server<I: Invoke> {
    server: ward_serve::Server<Services<I>>,
    refusals: Refusals,
    address: SocketAddr,
}

impl<I: Invoke> Server<I> {
    /// Opens the listener, to serve on it the current offer of the same application. Nothing is
    /// accepted before [`Server::run`], but the kernel already queues connections.
    ///
    /// # Errors
    /// [`BindError`] when the address cannot be had.
    pub async fn bind(offer: Current<Offer<I>>, options: Options) -> Result<Self, BindError> {
        let builtin = Builtin::new(&offer, options.reflection).await;
        let Options { address, limits, trust, revoked, tls, proxies, metrics, .. } = options;
        let of_server = ward_serve::Options {
            limits: limits.of_server(),
            protocol: Protocol::Http2,
            tls,
            proxies,
        };
        let refusals = Refusals::default();
        let service = Arc::new(Services {
            limits,
            offer,
            builtin,
            trust,
            revoked,
            refusals: refusals.clone(),
            metrics,
        });
        let server = ward_serve::Server::bind(vec![Door { address, service }], of_server)
            .map_err(|(address, error)| BindError::Address(address, error))?;
        let address = server.addresses().first().copied().unwrap_or(address);
        Ok(Self { server, refusals, address })
    }

    /// The listener's address, with the port that was picked where the options left that open.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether clients have to speak TLS.
    pub fn is_tls(&self) -> bool {
        self.server.is_tls()
    }

    /// Serves until `shutdown` completes, and then stops within the limits' `drain_time_max`, and
    /// has told of whom it refused soon after.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let drained = self.server.run(shutdown).await;
        self.refusals.end().await;
        drained
    }
}
