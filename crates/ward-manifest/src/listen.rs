//! Addresses to listen on, as people write them. Nothing is looked up here: of names only
//! `localhost` is known, and it is the IPv4 loopback, where the guide's addresses are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// `127.0.0.1:4004`, `[::1]:4004`, `localhost:4004`, or `:4004` for every IPv4 address of the
/// machine; `None` for anything else.
#[must_use]
pub fn listen_address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (host, port) = text.rsplit_once(':')?;
    let host = match host {
        "" => Ipv4Addr::UNSPECIFIED,
        host if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST,
        _ => return None,
    };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    Some(SocketAddr::new(IpAddr::V4(host), port.parse().ok().filter(|_| is_number)?))
}

#[cfg(test)]
mod tests {
    use super::listen_address;

    #[test]
    fn addresses_as_people_write_them() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(listen_address(text), expected.map(|text| text.parse().unwrap()), "{text}");
        };
        check("127.0.0.1:4004", Some("127.0.0.1:4004"));
        check("[::1]:4004", Some("[::1]:4004"));
        check("localhost:4004", Some("127.0.0.1:4004"));
        check("LocalHost:0", Some("127.0.0.1:0"));
        check(":4004", Some("0.0.0.0:4004"));
        for wrong in ["", "localhost", "4004", "localhost:", ":65536", ":+1", "ward.example:80"] {
            check(wrong, None);
        }
    }
}
