//! Opens the listener, accepts connections while there is room for them, and stops in order: the
//! services are said not to be serving, clients are told to go, running calls end or are cut at
//! the deadline.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustls::ServerConfig;
use thiserror::Error;
use token::Trust;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::clocks::Counters;
use crate::connection::{self, Protocol};
use crate::invoke::Invoke;
use crate::limits::{ACCEPT_PAUSE, Limits};
use crate::offer::{Endpoint, Offer};
use crate::options::Options;
use crate::own::Own;

/// Why a server was not started.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address cannot be had.
    #[error("cannot listen on {0} for gRPC: {1}")]
    Address(SocketAddr, io::Error),
    /// The services' descriptors do not go together.
    #[error("the gRPC services cannot be described: {0}")]
    Descriptors(String),
}

/// How a server's last calls ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Calls that were in flight when the server was asked to stop.
    pub calls: usize,
    /// How many of them, and of those that came while it stopped, were cut at the deadline.
    pub cut: usize,
}

/// How far a server is on its way from start to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Serving.
    Serving,
    /// No new connections. Calls are answered; whoever asks or watches learns that nothing serves.
    Draining,
    /// Clients are told to go, and connections close as their calls end.
    Closing,
    /// Connections close now.
    Cut,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared<I> {
    pub(crate) limits: Limits,
    pub(crate) protocol: Protocol,
    pub(crate) counters: Arc<Counters>,
    pub(crate) endpoints: HashMap<Box<str>, Arc<Endpoint<I>>>,
    pub(crate) own: Own,
    pub(crate) trust: Option<Arc<Trust>>,
}

/// A listener that is open, and what is served on it.
#[derive(Debug)]
pub struct Server<I> {
    door: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared<I>>,
}

impl<I: Invoke> Server<I> {
    /// Opens the listener. Nothing is accepted before [`Server::run`], but the kernel already
    /// queues connections.
    ///
    /// # Errors
    /// [`BindError`] when the address cannot be had, or the services cannot be described together.
    pub async fn bind(offer: Offer<I>, options: Options) -> Result<Self, BindError> {
        let own =
            Own::new(&offer.services, options.reflection).await.map_err(BindError::Descriptors)?;
        let unusable = |error| BindError::Address(options.address, error);
        let door = TcpListener::bind(options.address).await.map_err(unusable)?;
        let address = door.local_addr().map_err(unusable)?;
        let shared = Shared {
            protocol: connection::protocol(&options.limits),
            limits: options.limits,
            counters: Arc::default(),
            endpoints: offer.endpoints,
            own,
            trust: options.trust,
        };
        Ok(Self { door, address, tls: options.tls, shared: Arc::new(shared) })
    }

    /// The listener's address, with the port that was picked where the options left that open.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether clients have to speak TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves until `shutdown` completes, and then stops within the limits' `drain_time_max`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let (phase, watching) = watch::channel(Phase::Serving);
        let tls = self.tls.map(TlsAcceptor::from);
        tokio::spawn(accept(self.door, tls, self.shared.clone(), watching));
        shutdown.await;
        drain(&self.shared, &phase).await
    }
}

/// Accepts connections while the server serves.
async fn accept<I: Invoke>(
    door: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared<I>>,
    mut phase: watch::Receiver<Phase>,
) {
    let room = Arc::new(Semaphore::new(shared.limits.connections_max));
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await.ok()?;
            Some((place, door.accept().await))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = phase.changed() => return,
        };
        match accepted {
            Some((place, Ok((stream, _)))) => {
                // Without it a small answer waits for the client's delayed acknowledgement, up to
                // 40 ms. A socket that refuses is one that is closed already.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection was gone before it was served");
                    continue;
                }
                let served = connection::serve(stream, tls.clone(), shared.clone(), phase.clone());
                tokio::spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Some((_, Err(error))) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None => return,
        }
    }
}

/// Stops, phase by phase. The phase's receivers are the listener and the connections: when none is
/// left, nothing is being served.
async fn drain<I>(shared: &Shared<I>, phase: &watch::Sender<Phase>) -> Drained {
    let calls = shared.counters.calls.load(Relaxed);
    let linger = shared.limits.drain_linger.min(shared.limits.drain_time_max);
    let mut cut = 0;
    let steps = [
        (Phase::Draining, linger),
        (Phase::Closing, shared.limits.drain_time_max.saturating_sub(linger)),
        (Phase::Cut, Duration::MAX),
    ];
    for (next, time_max) in steps {
        match next {
            Phase::Serving => {}
            Phase::Draining => shared.own.stop_serving().await,
            Phase::Closing => shared.own.end_watches().await,
            Phase::Cut => cut = shared.counters.calls.load(Relaxed),
        }
        phase.send_replace(next);
        if tokio::time::timeout(time_max, phase.closed()).await.is_ok() {
            break;
        }
    }
    Drained { calls, cut }
}
