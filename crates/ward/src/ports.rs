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

/// Tries every address; the first that cannot be had is the failure. `grpc` is that of gRPC,
/// `metrics` that of `--metrics`.
pub(crate) fn check(
    settings: &Settings,
    grpc: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
) -> Result<(), Failure> {
    probe("the gateway", settings.listen)?;
    settings.listeners.iter().try_for_each(|(component, address)| probe(component, *address))?;
    grpc.map_or(Ok(()), |address| probe("gRPC", address))?;
    metrics.map_or(Ok(()), |address| probe("metrics", address))
}

fn probe(whose: &str, address: SocketAddr) -> Result<(), Failure> {
    TcpListener::bind(address).map(drop).map_err(|error| taken(whose, address, &error))
}

/// What to say about an address that cannot be had.
fn taken(whose: &str, address: SocketAddr, error: &io::Error) -> Failure {
    let failure = |problem: &str| Failure::new(format!("{address}, for {whose}, {problem}"));
    let other = match whose {
        "the gateway" => "choose another with --listen",
        "gRPC" => "choose another with --grpc-listen",
        "metrics" => "choose another with --metrics",
        _ => "change it under [application.tool.ward.listeners], or give --no-listeners",
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => failure("is in use")
            .help(format!("stop what listens there (another ward?), or {other}")),
        io::ErrorKind::PermissionDenied => {
            failure("needs more rights").help(format!("ports below 1024 are root's; {other}"))
        }
        _ => failure(&format!("cannot be listened on: {error}")).help(other),
    }
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
    }
}
