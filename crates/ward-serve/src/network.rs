//! Whom a connection or a request is counted against: a network address, which is all that is known
//! of a stranger. An IPv6 customer has a whole /64, so that is one peer. Behind a proxy that the
//! manifest names it is the address that the proxy says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

use crate::limits::HOPS_MAX;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What counts as one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

/// The bits of an IPv6 address that name a network.
const NETWORK_BITS: u128 = !0 << 64;

impl Network {
    /// The network of an address. An IPv4 address that an IPv6 socket received is one.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK_BITS))
            }
        })
    }

    /// Its address; of an IPv6 network the first one.
    pub(crate) fn address(self) -> IpAddr {
        self.0
    }
}

/// The proxies that are believed about whom they speak for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Those with addresses in these networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether one with this address is believed.
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whom a proxy that is trusted speaks for: the last address in the chain that is not such a
    /// proxy itself, since all before it is hearsay. `None` where it does not say, or says two
    /// things: a proxy that writes one of the two fields passes on what a client wrote into the
    /// other.
    pub(crate) fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let said = [
            self.last(headers, &FORWARDED, forwarded_for),
            self.last(headers, &X_FORWARDED_FOR, hop_address),
        ];
        match said {
            [Some(one), Some(other)] if one != other => None,
            [one, other] => one.or(other),
        }
    }

    fn last(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        read: fn(&str) -> Option<IpAddr>,
    ) -> Option<IpAddr> {
        let mut last = None;
        let fields = headers.get_all(name);
        let hops = fields.iter().rev().flat_map(|value| value.to_str().unwrap_or("").rsplit(','));
        for hop in hops.take(HOPS_MAX) {
            let Some(address) = read(hop.trim()) else { break };
            last = Some(address);
            if !self.trust(address) {
                break;
            }
        }
        last
    }
}

/// `for=` of one element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    hop_address(node.trim().trim_matches('"'))
}

/// An address with or without a port, an IPv6 one in brackets or not.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl Default for Network {
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_network_is_an_ipv4_address_or_the_first_half_of_an_ipv6_one() {
        let of = |text: &str| Network::of(text.parse().unwrap());
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    fn check(fields: &[(HeaderName, &'static str)], expected: Option<&str>) {
        let proxies = Proxies::new(["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        let expected = expected.map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(proxies.client(&headers), expected, "{fields:?}");
    }

    #[test]
    fn the_last_that_is_no_proxy_is_whom_it_speaks_for() {
        let xff = X_FORWARDED_FOR;
        check(&[], None);
        check(&[(xff.clone(), "192.0.2.1")], Some("192.0.2.1"));
        check(&[(xff.clone(), "6.6.6.6, 192.0.2.1, 10.1.2.3")], Some("192.0.2.1"));
        check(&[(xff.clone(), "6.6.6.6"), (xff.clone(), "192.0.2.1:99")], Some("192.0.2.1"));
        check(&[(xff.clone(), "10.0.0.9, 10.0.0.8")], Some("10.0.0.9"));
        check(&[(xff.clone(), "6.6.6.6, nonsense")], None);
        check(&[(FORWARDED, "for=6.6.6.6, For=\"[2001:db8::1]:47\";proto=https")], {
            Some("2001:db8::1")
        });
        check(&[(FORWARDED, "for=unknown")], None);
    }

    #[test]
    fn a_proxy_that_says_two_things_says_nothing() {
        let both = |forwarded: &'static str, xff: &'static str, expected| {
            check(&[(FORWARDED, forwarded), (X_FORWARDED_FOR, xff)], expected);
        };
        both("for=192.0.2.1", "192.0.2.1", Some("192.0.2.1"));
        both("for=6.6.6.6", "192.0.2.1", None);
    }

    #[test]
    fn trust_is_by_network() {
        let proxies = Proxies::new(["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        for (address, trusted) in
            [("10.9.9.9", true), ("::ffff:10.9.9.9", true), ("11.0.0.1", false), ("::1", true)]
        {
            assert_eq!(proxies.trust(address.parse().unwrap()), trusted, "{address}");
        }
    }
}
