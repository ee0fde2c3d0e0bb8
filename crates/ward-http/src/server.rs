//! Opens the listeners, accepts connections while there is room for them, and stops in order: no
//! new connections, no new requests, the running ones to their end or to the deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::activity::Counters;
use crate::connection::{self, Protocol};
use crate::handler::Handler;
use crate::limits::{ACCEPT_PAUSE, Limits};
use crate::table::{Listener, Table};

/// How the server behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What clients and responses may cost.
    pub limits: Limits,
}

/// A listener that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The component it belongs to; `None` for the gateway.
    pub component: Option<String>,
    /// Its address, with the port that was picked where the listener left that open.
    pub address: SocketAddr,
}

/// How a server's last requests ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests that were in flight when the server was asked to stop.
    pub requests: usize,
    /// How many of them, and of those that came while it stopped, were cut at the deadline.
    pub cut: usize,
}

/// How far a server is on its way from start to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Serving.
    Serving,
    /// New requests are refused; connections stay open for them to be.
    Draining,
    /// Connections close as their requests end.
    Closing,
    /// Connections close now.
    Cut,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) protocol: Protocol,
    pub(crate) counters: Arc<Counters>,
    pub(crate) draining: AtomicBool,
    /// Says to those who wait for it what `draining` says to those who look.
    ending: watch::Sender<bool>,
}

impl Shared {
    /// Completes when the server begins to drain.
    pub(crate) fn ending(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut ending = self.ending.subscribe();
        async move {
            // An error is a server that is gone: an end too.
            drop(ending.wait_for(|ending| *ending).await);
        }
    }
}

/// Listeners that are open, and what is served on them.
#[derive(Debug)]
pub struct Server<H> {
    doors: Vec<(TcpListener, Arc<Table<H>>)>,
    bound: Vec<Bound>,
    shared: Arc<Shared>,
}

impl<H: Handler> Server<H> {
    /// Opens every listener, or none. Nothing is accepted before [`Server::run`], but the kernel
    /// already queues connections.
    pub async fn bind(listeners: Vec<Listener<H>>, options: Options) -> io::Result<Self> {
        let mut doors = Vec::new();
        let mut bound = Vec::new();
        for Listener { component, address, table } in listeners {
            let door = TcpListener::bind(address).await.map_err(|error| {
                let whose = component.as_deref().unwrap_or("the gateway");
                io::Error::new(
                    error.kind(),
                    format!("cannot listen on {address} for {whose}: {error}"),
                )
            })?;
            bound.push(Bound { component, address: door.local_addr()? });
            doors.push((door, table));
        }
        let shared = Shared {
            protocol: connection::protocol(&options.limits),
            limits: options.limits,
            counters: Arc::default(),
            draining: AtomicBool::new(false),
            ending: watch::Sender::new(false),
        };
        Ok(Self { doors, bound, shared: Arc::new(shared) })
    }

    /// The open listeners, in the order they were given.
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// Serves until `shutdown` completes, and then stops within the limits' `drain_time_max`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let (phase, watching) = watch::channel(Phase::Serving);
        let room = Arc::new(Semaphore::new(self.shared.limits.connections_max));
        for (door, table) in self.doors {
            let (shared, room) = (self.shared.clone(), room.clone());
            tokio::spawn(accept(door, table, shared, room, watching.clone()));
        }
        drop(watching);
        shutdown.await;
        drain(&self.shared, &phase).await
    }
}

/// Accepts connections on one listener while the server serves.
async fn accept<H: Handler>(
    door: TcpListener,
    table: Arc<Table<H>>,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    mut phase: watch::Receiver<Phase>,
) {
    loop {
        // The place comes second: one taken ahead would be kept from the other listeners. So each
        // listener may have one connection more than there is room for, which waits unserved.
        let next = async {
            let accepted = door.accept().await;
            Some((room.clone().acquire_owned().await.ok()?, accepted))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = phase.changed() => return,
        };
        match accepted {
            Some((place, Ok((stream, peer)))) => {
                // Without it a small response waits for the client's delayed acknowledgement, up
                // to 40 ms. A socket that refuses is one that is closed already.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection was gone before it was served");
                    continue;
                }
                let served =
                    connection::serve(stream, peer, table.clone(), shared.clone(), phase.clone());
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

/// Stops, phase by phase. The phase's receivers are the listeners and the connections: when none
/// is left, nothing is being served.
async fn drain(shared: &Shared, phase: &watch::Sender<Phase>) -> Drained {
    let requests = shared.counters.requests.load(Relaxed);
    let linger = shared.limits.drain_linger.min(shared.limits.drain_time_max);
    shared.draining.store(true, Relaxed);
    shared.ending.send_replace(true);
    let mut cut = 0;
    let steps = [
        (Phase::Draining, linger),
        (Phase::Closing, shared.limits.drain_time_max.saturating_sub(linger)),
        (Phase::Cut, Duration::MAX),
    ];
    for (next, time_max) in steps {
        if next == Phase::Cut {
            cut = shared.counters.requests.load(Relaxed);
        }
        phase.send_replace(next);
        if tokio::time::timeout(time_max, phase.closed()).await.is_ok() {
            break;
        }
    }
    Drained { requests, cut }
}
