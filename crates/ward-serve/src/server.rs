//! Opens the listeners, accepts connections, and stops in order: no new connections, no new
//! requests, the running ones to their end or to the deadline.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use crate::connection::{self, Connection, Speech};
use crate::house::House;
use crate::limits::{ACCEPT_PAUSE, BACKLOG, Limits};
use crate::network::Proxies;
use crate::tls::Certificate;

/// What answers on a listener.
pub trait Service: Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Answers one request, whatever it is. Dropping the future means that the client has gone.
    fn answer(
        &self,
        connection: &Arc<Connection>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// The server is about to enter a phase of its end.
    fn entering(&self, _phase: Phase) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// How far a server is on its way from start to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Serving,
    /// No new connections; those that are open stay so, for requests that are on their way.
    Draining,
    /// Connections close as their requests end.
    Closing,
    /// Connections close now.
    Cut,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 or HTTP/2, as the client likes.
    Any,
    /// HTTP/2 is what TLS agrees on. A request that comes with HTTP/1.1 all the same reaches the
    /// service, which has to say so.
    Http2,
}

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// What clients and answers may cost.
    pub limits: Limits,
    /// What is spoken.
    pub protocol: Protocol,
    /// The certificate to serve with; clear text where there is none.
    pub tls: Option<Arc<Certificate>>,
    /// The proxies that are believed about whom they speak for.
    pub proxies: Proxies,
}

/// An address and what is served there.
#[derive(Debug)]
pub struct Door<S> {
    /// Where to listen; port 0 picks a free one.
    pub address: SocketAddr,
    /// What answers.
    pub service: Arc<S>,
}

/// How a server's last requests ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests that were in flight when the server was asked to stop.
    pub requests: usize,
    /// How many of them, and of those that came while it stopped, were cut at the deadline.
    pub cut: usize,
}

/// Listeners that are open, and what is served on them.
#[derive(Debug)]
pub struct Server<S> {
    doors: Vec<(TcpListener, Arc<S>)>,
    addresses: Vec<SocketAddr>,
    speech: Arc<Speech>,
    tls: Option<(Arc<Certificate>, Protocol)>,
    house: Arc<House>,
}

impl<S: Service> Server<S> {
    /// Opens every listener, or none. Nothing is accepted before [`Server::run`], but the kernel
    /// already queues connections. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// The first address that cannot be had, and why.
    pub fn bind(doors: Vec<Door<S>>, options: Options) -> Result<Self, (SocketAddr, io::Error)> {
        let (mut open, mut addresses) = (Vec::new(), Vec::new());
        for Door { address, service } in doors {
            let unusable = |error| (address, error);
            let door = listen(address).map_err(unusable)?;
            addresses.push(door.local_addr().map_err(unusable)?);
            open.push((door, service));
        }
        let Options { limits, protocol, tls, proxies } = options;
        Ok(Self {
            doors: open,
            addresses,
            speech: Arc::new(connection::speech(&limits)),
            tls: tls.map(|tls| (tls, protocol)),
            house: House::new(limits, proxies),
        })
    }

    /// The listeners' addresses in the order they were given, with the ports that were picked where
    /// that was left open.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether clients have to speak TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves until `shutdown` completes, and then stops within the limits' `drain_time_max`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let (phase, watching) = watch::channel(Phase::Serving);
        let mut services = Vec::new();
        let renewing = self.tls.as_ref().map(|(tls, _)| tokio::spawn(tls.clone().renew()));
        for (door, service) in self.doors {
            services.push(service.clone());
            let (speech, tls, house) = (self.speech.clone(), self.tls.clone(), self.house.clone());
            tokio::spawn(accept(door, (speech, service), tls, house, watching.clone()));
        }
        drop(watching);
        shutdown.await;
        let drained = drain(&self.house, &services, &phase).await;
        if let Some(renewing) = renewing {
            renewing.abort();
        }
        drained
    }
}

/// Opens a listener. Ports that a process before left in the course of closing are taken over.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections on one listener while the server serves.
async fn accept<S: Service>(
    door: TcpListener,
    served: (Arc<Speech>, Arc<S>),
    tls: Option<(Arc<Certificate>, Protocol)>,
    house: Arc<House>,
    mut phase: watch::Receiver<Phase>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = door.accept() => accepted,
            _ = phase.changed() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(entered) = house.peers.enter(&house, peer) else {
            tracing::debug!("a connection was closed: there is no room, not even a spare one");
            continue;
        };
        // Without it a small response waits for the client's delayed acknowledgement, up to 40 ms.
        // A socket that refuses is one that is closed already.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            continue;
        }
        let tls = tls.as_ref().map(|(tls, protocol)| tls.acceptor(*protocol));
        tokio::spawn(connection::serve(stream, tls, entered, served.clone(), phase.clone()));
    }
}

/// Stops, phase by phase. The phase's receivers are the listeners and the connections: when none
/// is left, nothing is being served.
async fn drain<S: Service>(
    house: &House,
    services: &[Arc<S>],
    phase: &watch::Sender<Phase>,
) -> Drained {
    let requests = house.requests.load(Relaxed);
    let linger = house.limits.drain_linger.min(house.limits.drain_time_max);
    let mut cut = 0;
    let steps = [
        (Phase::Draining, linger),
        (Phase::Closing, house.limits.drain_time_max.saturating_sub(linger)),
        (Phase::Cut, Duration::MAX),
    ];
    for (next, time_max) in steps {
        if next == Phase::Cut {
            cut = house.requests.load(Relaxed);
        }
        house.enter(next);
        for service in services {
            service.entering(next).await;
        }
        phase.send_replace(next);
        if tokio::time::timeout(time_max, phase.closed()).await.is_ok() {
            break;
        }
    }
    Drained { requests, cut }
}
