//! The network address that a request came from, as the host says it: the peer's, or the one for
//! which a proxy speaks that the host was told to believe. Middleware passes it on as it came.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The host's header. Ward removes a client's own; Spin puts its own behind them, so that the last
/// one counts, of whichever host.
pub const CLIENT_ADDRESS: &str = "spin-client-addr";

/// The address, without its port.
pub fn address(headers: &HeaderMap) -> Option<IpAddr> {
    parse(headers.get_all(CLIENT_ADDRESS).iter().next_back()?.to_str().ok()?)
}

/// The address in a value of the header.
pub fn parse(text: &str) -> Option<IpAddr> {
    let address = text.parse::<SocketAddr>().map(|address| address.ip());
    address.or_else(|_| text.parse()).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_header_counts_and_ports_do_not() {
        let check = |values: &[&str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CLIENT_ADDRESS, value.parse().unwrap());
            }
            let found = address(&headers).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{values:?}");
        };
        check(&[], None);
        check(&["127.0.0.1:54321"], Some("127.0.0.1"));
        check(&["6.6.6.6:1", "127.0.0.1:54321"], Some("127.0.0.1"));
        check(&["[2001:db8::1]:443"], Some("2001:db8::1"));
        check(&["[::ffff:192.0.2.1]:443"], Some("192.0.2.1"));
        check(&["192.0.2.1"], Some("192.0.2.1"));
        check(&["localhost:80"], None);
    }
}
