//! What all connections of a server share: its limits, who is there, the places and the seats, and
//! whether it is about to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use tokio::sync::watch;

use crate::limits::Limits;
use crate::network::Proxies;
use crate::peers::Peers;
use crate::places::Places;
use crate::seats::Seats;
use crate::server::Phase;

/// The state of one server.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) limits: Limits,
    pub(crate) proxies: Proxies,
    pub(crate) peers: Peers,
    pub(crate) places: Places,
    /// Bodies that have not come.
    pub(crate) bodies: Arc<Seats>,
    /// Answers that last.
    pub(crate) lasting: Arc<Seats>,
    /// Requests begun and not yet ended.
    pub(crate) requests: AtomicUsize,
    draining: AtomicBool,
    /// Says to those who wait for it what `draining` says to those who look.
    phase: watch::Sender<Phase>,
}

impl House {
    pub(crate) fn new(limits: Limits, proxies: Proxies) -> Arc<Self> {
        let seats = |max| Seats::new(max, limits.share(max));
        Arc::new(Self {
            bodies: seats(limits.bodies_waiting_max),
            lasting: seats(limits.lasting_max),
            places: Places::new(&limits),
            proxies,
            peers: Peers::default(),
            requests: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            phase: watch::Sender::new(Phase::Serving),
            limits,
        })
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// The server enters a phase of its end.
    pub(crate) fn enter(&self, phase: Phase) {
        self.draining.store(true, Relaxed);
        self.phase.send_replace(phase);
    }

    /// Completes when the server has come to `phase`.
    pub(crate) fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut now = self.phase.subscribe();
        async move {
            // An error is a server that is gone: an end too.
            drop(now.wait_for(|now| *now >= phase).await);
        }
    }
}
