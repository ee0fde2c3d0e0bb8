//! What guests may do with the network, whoever they are: where none may connect, and how many
//! connections there may be at once (`[outbound_networking]` of the runtime configuration). What
//! one component may reach is not here.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use ward_manifest::OutboundNetworking;

/// The rules, and what is left of the connections; one for the process.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    rules: OutboundNetworking,
    all: Option<Arc<Semaphore>>,
    sockets: Option<Arc<Semaphore>>,
}

/// The leave to have one connection, where there is a limit, until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    _of: Vec<OwnedSemaphorePermit>,
}

impl Networks {
    pub(crate) fn new(rules: OutboundNetworking) -> Arc<Self> {
        let limit = |max: usize| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        let all = rules.connections_max.map(limit);
        let sockets = rules.socket_connections_max.map(limit);
        Arc::new(Self { rules, all, sockets })
    }

    /// Whether guests may not connect to this address.
    pub(crate) fn blocks(&self, address: IpAddr) -> bool {
        self.rules.blocks(address)
    }

    /// Leave for a connection of the host's to somewhere, waited for.
    pub(crate) async fn connection(&self) -> ConnectionPermit {
        let permit = match self.all.clone() {
            // It is never closed; if it were, there would be no limit.
            Some(all) => all.acquire_owned().await.ok(),
            None => None,
        };
        ConnectionPermit { _of: permit.into_iter().collect() }
    }

    /// Leave for a socket of a guest's own, at once or not at all.
    pub(crate) fn socket(&self) -> Option<ConnectionPermit> {
        let limits = [&self.all, &self.sockets].into_iter().flatten();
        let permits = limits.map(|limit| limit.clone().try_acquire_owned().ok());
        permits.collect::<Option<Vec<_>>>().map(|of| ConnectionPermit { _of: of })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn sockets_have_a_limit_of_their_own_and_share_another() {
        let networks = Networks::new(OutboundNetworking {
            socket_connections_max: Some(2),
            connections_max: Some(3),
            ..OutboundNetworking::default()
        });
        let mut held = vec![networks.socket().unwrap(), networks.socket().unwrap()];
        assert!(networks.socket().is_none());
        let other = networks.connection().now_or_never().unwrap();
        assert!(networks.connection().now_or_never().is_none(), "three in all");
        held.pop();
        drop(other);
        held.push(networks.socket().unwrap());
        assert!(networks.connection().now_or_never().is_some());
    }

    #[test]
    fn without_a_setting_there_is_no_limit() {
        let networks = Networks::new(OutboundNetworking::default());
        let sockets: Vec<_> = (0..10_000).map_while(|_| networks.socket()).collect();
        assert_eq!(sockets.len(), 10_000);
        assert!(networks.connection().now_or_never().is_some());
    }
}
