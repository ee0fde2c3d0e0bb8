//! Whether the brokers are where they say of themselves that they are. A client reaches a cluster
//! by the address it is given, and goes on with those that the cluster advertises: where one of
//! these leads nowhere the first answer comes and nothing after it does, and no error names it.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use rdkafka::metadata::Metadata;

use crate::log::Trouble;

/// How long a broker may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Where the brokers advertise themselves; fails when none can be reached there. One that does so
/// at an address which was given has just answered there.
pub(super) fn check(metadata: &Metadata, given: &str) -> Result<Vec<String>, Trouble> {
    let advertised = metadata.brokers().iter().map(|broker| match broker.host() {
        host if host.contains(':') => format!("[{host}]:{}", broker.port()),
        host => format!("{host}:{}", broker.port()),
    });
    let advertised: Vec<String> = advertised.collect();
    match unreachable(&advertised, given) {
        Some(reason) => Err(Trouble::passing(reason)),
        None => Ok(advertised),
    }
}

/// Why none can be reached; `None` where one can.
fn unreachable(advertised: &[String], given: &str) -> Option<String> {
    let mut reasons = Vec::new();
    for address in advertised {
        match if is_given(address, given) { Ok(()) } else { reach(address) } {
            Ok(()) => return None,
            Err(error) => reasons.push(format!("{address} ({error})")),
        }
    }
    (!reasons.is_empty()).then(|| sentence(given, &reasons.join(", ")))
}

fn sentence(given: &str, elsewhere: &str) -> String {
    format!(
        "the broker answers at {given} and says that it is at {elsewhere}, where it cannot be \
         reached: mend its advertised.listeners, or the name"
    )
}

/// A client's trouble with an address that nobody gave it: who answered where it was told to go
/// sent it there. It says whom it is about as in `host:port/1: Failed to resolve …`, and
/// `bootstrap` in the place of a number where it was told.
pub(super) fn explained(trouble: Trouble, given: &str) -> Trouble {
    let named = trouble.reason.split_once(": ").and_then(|(who, why)| {
        let (address, node) = who.rsplit_once('/')?;
        node.parse::<i32>().ok()?;
        Some((bare(address), why))
    });
    match named.filter(|(address, _)| !is_given(address, given)) {
        Some((address, why)) => {
            Trouble { reason: sentence(given, &format!("{address} ({why})")), ..trouble }
        }
        None => trouble,
    }
}

/// Whether an address is one of those that were given.
fn is_given(address: &str, given: &str) -> bool {
    given.split(',').any(|own| bare(own) == address)
}

/// An address without blanks and without the protocol that may be written before it.
fn bare(address: &str) -> &str {
    let address = address.trim();
    address.rsplit_once("://").map_or(address, |(_, bare)| bare)
}

fn reach(address: &str) -> std::io::Result<()> {
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for found in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&found, CONNECT_MAX) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{explained, unreachable};
    use crate::log::Trouble;

    #[test]
    fn one_that_can_be_reached_is_enough() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap().to_string();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let check = |advertised: &[&str], given: &str| {
            let advertised: Vec<String> = advertised.iter().map(|at| (*at).to_owned()).collect();
            unreachable(&advertised, given)
        };
        assert_eq!(check(&[&there], "elsewhere:1"), None);
        assert_eq!(check(&[&free, &there], "elsewhere:1"), None);
        assert_eq!(check(&[&free], &format!("other:1, PLAINTEXT://{free}")), None, "it was given");
        assert_eq!(check(&[], "elsewhere:1"), None, "it says nothing");
        let reason = check(&["kafka.invalid:9092", &free], "elsewhere:1").unwrap();
        for part in ["elsewhere:1", "kafka.invalid:9092", &free, "advertised.listeners"] {
            assert!(reason.contains(part), "{reason}");
        }
    }
    #[test]
    fn trouble_with_an_address_that_nobody_gave_is_explained() {
        let check = |reason: &str| explained(Trouble::passing(reason), "a:1,b:2").reason;
        let elsewhere = check("kafka.invalid:9092/1: Failed to resolve 'kafka.invalid:9092'");
        assert!(elsewhere.contains("at kafka.invalid:9092 (Failed"), "{elsewhere}");
        assert!(elsewhere.contains("advertised.listeners"), "{elsewhere}");
        for own in ["a:1/bootstrap: Connect failed", "ssl://b:2/7: Disconnected", "timed out: /1"] {
            assert_eq!(check(own), own);
        }
    }
}
