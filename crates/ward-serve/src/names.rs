//! Names that lead to this machine. A page in a browser may have a name of its own lead here (DNS
//! rebinding), and would be of one origin with what it finds: a listener that only this machine
//! reaches need not answer to any other name than these.

use std::net::IpAddr;

/// Whether the host is this machine whoever looks it up: an address of its loopback, or a name
/// that is kept for that (RFC 6761, 6.3).
#[must_use]
pub fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.is_loopback();
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for local in
            ["localhost", "LOCALHOST.", "ward.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]
        {
            assert!(is_local(local), "{local}");
        }
        for other in ["", "evil.example", "localhost.example", "notlocalhost", "10.0.0.1", "[::2]"]
        {
            assert!(!is_local(other), "{other}");
        }
    }
}
