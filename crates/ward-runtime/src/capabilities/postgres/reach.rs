//! Where a connection may really go. `[outbound_networking] block_networks` is about addresses, so
//! names are resolved here, every answer is judged, and the connection is held to what was judged:
//! a name that resolves differently a moment later is no way around.

use std::borrow::Cow;
use std::net::IpAddr;

use tokio::net::lookup_host;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use ward_manifest::OutboundNetworking;

use super::address::Address;
use crate::capabilities::bindings::postgres::Error;

/// The way to `address`, if no network on it is blocked.
///
/// # Errors
/// `connection-failed`: a name does not resolve, or an address is in a blocked network.
pub(super) async fn config<'a>(
    address: &'a Address,
    networks: &OutboundNetworking,
) -> Result<Cow<'a, Config>, Error> {
    let config = &address.config;
    if networks.block_networks.is_empty() && !networks.block_private {
        return Ok(Cow::Borrowed(config));
    }
    // Where there are addresses, they are where it goes, and names are for TLS alone.
    if !config.get_hostaddrs().is_empty() {
        config.get_hostaddrs().iter().try_for_each(|found| judge(*found, networks))?;
        return Ok(Cow::Borrowed(config));
    }
    let mut held = config.clone();
    for host in config.get_hosts() {
        let Host::Tcp(host) = host else { continue };
        held.hostaddr(resolve(host, networks).await?);
    }
    Ok(Cow::Owned(held))
}

/// The first address of a name. One blocked address refuses the name: which of them would be
/// connected to is not for whoever answers the query to choose.
async fn resolve(host: &str, networks: &OutboundNetworking) -> Result<IpAddr, Error> {
    let unknown = || Error::ConnectionFailed(format!("the host {host} cannot be resolved"));
    // The port plays no part; looking up a pair is what the library offers.
    let found: Vec<IpAddr> =
        lookup_host((host, 0)).await.map_err(|_| unknown())?.map(|address| address.ip()).collect();
    found.iter().try_for_each(|address| judge(*address, networks))?;
    found.first().copied().ok_or_else(unknown)
}

fn judge(address: IpAddr, networks: &OutboundNetworking) -> Result<(), Error> {
    if !networks.blocks(address) {
        return Ok(());
    }
    tracing::warn!(%address, "refused a database in a network that block_networks lists");
    Err(Error::ConnectionFailed(format!("the address {address} is in a blocked network")))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(address: &str, networks: &OutboundNetworking) -> Result<Vec<IpAddr>, String> {
        let address = Address::parse(address, None).unwrap();
        match config(&address, networks).await {
            Ok(config) => Ok(config.get_hostaddrs().to_vec()),
            Err(Error::ConnectionFailed(text)) => Err(text),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn blocking(networks: &[&str]) -> OutboundNetworking {
        let block_networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        OutboundNetworking { block_networks, ..OutboundNetworking::default() }
    }

    #[tokio::test]
    async fn blocked_networks_are_not_reached_by_address_or_by_name() {
        let loopback = blocking(&["127.0.0.0/8", "::1/128"]);
        for address in ["host=127.0.0.1", "host=localhost", "host=db.example hostaddr=127.9.9.9"] {
            let refused = check(address, &loopback).await.unwrap_err();
            assert!(refused.contains("blocked network"), "{address}: {refused}");
        }
        let private = OutboundNetworking { block_private: true, ..OutboundNetworking::default() };
        assert!(check("host=10.1.2.3", &private).await.is_err());
    }

    #[tokio::test]
    async fn a_name_is_held_to_the_address_that_was_judged() {
        let elsewhere = blocking(&["10.0.0.0/8"]);
        let held = check("host=localhost", &elsewhere).await.unwrap();
        assert!(matches!(held.as_slice(), [address] if address.is_loopback()), "{held:?}");
        assert!(check("host=nothing.invalid", &elsewhere).await.unwrap_err().contains("resolved"));
    }

    #[tokio::test]
    async fn nothing_blocked_is_nothing_looked_up() {
        let none = OutboundNetworking::default();
        assert_eq!(check("host=nothing.invalid", &none).await, Ok(Vec::new()));
    }
}
