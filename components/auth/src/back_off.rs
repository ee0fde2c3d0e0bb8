//! Guessing becomes slow: after some failures each next try has to wait, twice as long as the last,
//! and whoever comes too early is sent away with `Retry-After` before anything is computed.
//!
//! Failures are counted for a name at an address, and for an address: somebody who guesses cannot
//! make the owner wait who sits elsewhere, nor anybody who has logged in from that address before.
//! Counts drain with time and nothing is ever locked for good. Names that nobody has are counted
//! like others, so that a wait tells nothing. The counts are in the database: all replicas have the
//! same. Logins that are being compared at the moment are not counted yet, of which there are as
//! many as the host lets in at once.

use std::net::{IpAddr, Ipv6Addr};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::database::Database;
use kit::problem::Kind;
use kit::{Problem, peer};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::settings;
use crate::store::attempts;

/// Somebody has to wait.
const TOO_MANY: Kind =
    Kind::new("too-many-attempts", "Too many wrong passwords", StatusCode::TOO_MANY_REQUESTS);

/// How failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How many cost nothing.
    pub(crate) free: i64,
    /// In how many seconds one drains away.
    pub(crate) drain_seconds: i64,
    /// The longest wait.
    pub(crate) wait_seconds_max: i64,
}

/// Of one name at one address: five slips of a finger, then at most four guesses an hour.
const PAIR: Pace = Pace { free: 5, drain_seconds: 900, wait_seconds_max: 900 };

/// Of an address: a hospital behind one has some hundred people, and a failure in two of its
/// minutes is theirs to have. Beyond that, at most one guess in half a minute.
const ADDRESS: Pace = Pace { free: 100, drain_seconds: 30, wait_seconds_max: 60 };

/// What is counted of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The name at the address.
    pub(crate) pair: Vec<u8>,
    /// The address.
    pub(crate) address: Vec<u8>,
}

impl Keys {
    /// Those of somebody who gives this name, in its folded form.
    pub(crate) fn of(name: &str, request: &HeaderMap, secret: &settings::Secret) -> Self {
        // Where the host does not say where a request comes from, all come from one place.
        let network = peer::address(request).map_or([0; 16], network);
        let key = |what: &[u8]| {
            let hash = Sha256::new().chain_update(secret.0).chain_update(network);
            hash.chain_update(what).finalize().to_vec()
        };
        // No name is empty.
        Self { pair: key(name.as_bytes()), address: key(&[]) }
    }

    /// Sends somebody away who has to wait.
    pub(crate) async fn admit(&self, database: &Database) -> Result<Result<(), Problem>, Failure> {
        let seconds = attempts::wait(database, self).await?;
        Ok(if seconds > 0 { Err(too_many(seconds)) } else { Ok(()) })
    }

    /// Counts a wrong password.
    pub(crate) async fn failed(&self, database: &Database) -> Result<(), Failure> {
        Ok(attempts::failed(database, self, [PAIR, ADDRESS]).await?)
    }

    /// Forgets what was counted of the name at the address.
    pub(crate) async fn succeeded(&self, database: &Database) -> Result<(), Failure> {
        Ok(attempts::succeeded(database, self).await?)
    }
}

/// The network of an address: of IPv6 the first half, which is what one customer has.
fn network(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).octets(),
    }
}

fn too_many(seconds: i64) -> Problem {
    Problem::new(TOO_MANY)
        .detail("Try again after the seconds in Retry-After. Each wrong password doubles them.")
        .header(RETRY_AFTER, HeaderValue::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(name: &str, address: &str, secret: u8) -> Keys {
        let mut headers = HeaderMap::new();
        headers.insert("spin-client-addr", address.parse().unwrap());
        Keys::of(name, &headers, &settings::Secret([secret; 32]))
    }

    #[test]
    fn names_count_at_their_address_and_addresses_for_all_names() {
        let one = keys("ann", "192.0.2.1:1", 0);
        assert_eq!(one, keys("ann", "192.0.2.1:2", 0));
        assert_eq!(one.address, keys("bob", "192.0.2.1:1", 0).address);
        assert_ne!(one.pair, keys("bob", "192.0.2.1:1", 0).pair);
        assert_ne!(one.pair, keys("ann", "192.0.2.2:1", 0).pair);
        assert_ne!(one.pair, one.address);
        assert_ne!(one.pair, keys("ann", "192.0.2.1:1", 1).pair);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let one = keys("ann", "[2001:db8::1]:1", 0);
        assert_eq!(one, keys("ann", "[2001:db8::ffff:2]:1", 0));
        assert_ne!(one, keys("ann", "[2001:db8:0:1::1]:1", 0));
        assert_eq!(keys("ann", "[::ffff:192.0.2.1]:1", 0), keys("ann", "192.0.2.1:1", 0));
    }

    #[test]
    fn whoever_has_to_wait_is_told_how_long() {
        let answer = too_many(7).into_reply(&HeaderMap::new());
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()["retry-after"], "7");
    }
}
