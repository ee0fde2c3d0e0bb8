//! The addresses to listen on: which they are after the options have had their say, and whether
//! they are free, asked before anything slow has been started.

use std::io;
use std::net::{SocketAddr, TcpListener};

use ward_manifest::Settings;

use crate::failure::Failure;

/// Applies `--listen` and `--no-listeners`. A gateway on a port that the system picks has
/// listeners on such ports too: whoever asks for that wants nothing fixed.
pub(crate) fn apply(settings: &mut Settings, listen: Option<SocketAddr>, no_listeners: bool) {
    if no_listeners {
        settings.listeners.clear();
    }
    let Some(listen) = listen else { return };
    settings.listen = listen;
    if listen.port() == 0 {
        for address in settings.listeners.values_mut() {
            address.set_port(0);
        }
    }
}

/// Tries every address; those that cannot be had are the failure. `grpc` is that of gRPC, `ops`
/// the operators'.
pub(crate) fn check(
    settings: &Settings,
    grpc: Option<SocketAddr>,
    ops: Option<SocketAddr>,
) -> Result<(), Failure> {
    let busy = busy(settings, grpc, ops);
    if busy.is_empty() {
        return Ok(());
    }
    let mut advice: Vec<&str> = busy.iter().map(|busy| busy.advice).collect();
    advice.dedup();
    let mut others: Vec<&str> = busy.iter().map(|busy| busy.other).collect();
    others.dedup();
    let help = format!("{}{}", advice.join(""), others.join(", or "));
    Err(Failure::all(busy.iter().map(|busy| &busy.problem)).help(help))
}

/// An address that cannot be had.
pub(crate) struct Busy {
    problem: String,
    /// What may be done about the address.
    advice: &'static str,
    /// Where to say another.
    other: &'static str,
}

impl Busy {
    /// It alone as a failure.
    pub(crate) fn failure(self) -> Failure {
        Failure::new(self.problem).help(format!("{}{}", self.advice, self.other))
    }
}

/// All that cannot be had, each by itself.
pub(crate) fn busy(
    settings: &Settings,
    grpc: Option<SocketAddr>,
    ops: Option<SocketAddr>,
) -> Vec<Busy> {
    let gateway = std::iter::once(("the gateway", settings.listen));
    let own = settings.listeners.iter().map(|(component, address)| (component.as_str(), *address));
    let grpc = grpc.map(|address| ("gRPC", address));
    let ops = ops.map(|address| ("operators", address));
    let all = gateway.chain(own).chain(grpc).chain(ops);
    all.filter_map(|(whose, address)| probe(whose, address)).collect()
}

fn probe(whose: &str, address: SocketAddr) -> Option<Busy> {
    TcpListener::bind(address).err().map(|error| taken(whose, address, &error))
}

/// What to say about an address that cannot be had.
fn taken(whose: &str, address: SocketAddr, error: &io::Error) -> Busy {
    let (problem, advice) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ("is in use".to_owned(), "stop what listens there (another ward?), or ")
        }
        io::ErrorKind::PermissionDenied => {
            ("needs more rights".to_owned(), "ports below 1024 are root's; ")
        }
        _ => (format!("cannot be listened on: {error}"), ""),
    };
    let other = match whose {
        "the gateway" => "choose another with --listen",
        "gRPC" => "choose another with --grpc-listen",
        "operators" => "choose another with --ops",
        _ => "change it under [application.tool.ward.listeners], or give --no-listeners",
    };
    Busy { problem: format!("{address}, for {whose}, {problem}"), advice, other }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::TcpListener;

    use ward_manifest::Settings;

    use super::{apply, check};

    fn settings() -> Settings {
        Settings {
            listen: "127.0.0.1:4004".parse().unwrap(),
            listeners: BTreeMap::from([("auth".to_owned(), "127.0.0.1:4005".parse().unwrap())]),
            ..Settings::default()
        }
    }

    #[test]
    fn options_change_the_manifests_addresses() {
        let mut changed = settings();
        apply(&mut changed, Some("0.0.0.0:80".parse().unwrap()), false);
        assert_eq!(changed.listen.to_string(), "0.0.0.0:80");
        assert_eq!(changed.listeners, settings().listeners);
        apply(&mut changed, Some("127.0.0.1:0".parse().unwrap()), false);
        assert_eq!(changed.listeners["auth"].port(), 0);
        apply(&mut changed, None, true);
        assert!(changed.listeners.is_empty());
    }

    #[test]
    fn a_taken_port_is_named_with_the_option() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut settings = settings();
        apply(&mut settings, Some("127.0.0.1:0".parse().unwrap()), false);
        check(&settings, None, None).unwrap();
        settings.listen = holder.local_addr().unwrap();
        let failure = check(&settings, None, None).unwrap_err();
        assert!(failure.messages()[0].contains("in use"), "{failure:?}");
        assert!(failure.advice().unwrap().contains("--listen"), "{failure:?}");
        let taken = std::mem::replace(&mut settings.listen, "127.0.0.1:0".parse().unwrap());
        let failure = check(&settings, Some(taken), None).unwrap_err();
        assert!(failure.messages()[0].contains("for gRPC, is in use"), "{failure:?}");
        assert!(failure.advice().unwrap().contains("--grpc-listen"), "{failure:?}");
        // All that are taken, at once.
        settings.listen = taken;
        settings.listeners.insert("auth".to_owned(), taken);
        let failure = check(&settings, Some(taken), None).unwrap_err();
        assert_eq!(failure.messages().len(), 3, "{failure:?}");
        let advice = failure.advice().unwrap();
        assert!(advice.matches("stop what listens there").count() == 1, "{advice}");
        assert!(advice.contains("--listen") && advice.contains("--grpc-listen"), "{advice}");
    }
}
