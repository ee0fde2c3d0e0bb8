//! What all listeners have in common: the certificate, the proxies that are believed, how much one
//! peer may have, and how many connections the system lets there be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ward_manifest::{App, Settings, TlsFiles};
use ward_serve::{Certificate, Descriptors, Limits, Proxies};

use crate::cli::UpArgs;
use crate::failure::Failure;
use crate::limits::{DESCRIPTORS_BESIDE, OPS_CONNECTIONS_MAX};

/// What is the same for every listener.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    /// The certificate of all of them; clear text where there is none.
    pub(crate) tls: Option<Arc<Certificate>>,
    pub(crate) proxies: Proxies,
    peer_share_percent: usize,
    connections_max: usize,
}

impl Serving {
    /// As the manifest says, or as `--tls-cert` and `--tls-key` say. The limit on open files is
    /// raised; what it does not allow all the same is said.
    pub(crate) fn new(args: &UpArgs, app: &App) -> Result<Self, Failure> {
        let settings = &app.settings;
        let tls =
            files(args, settings).map(|TlsFiles { cert, key }| Certificate::load(&cert, &key));
        let tls = tls.transpose().map_err(|error| {
            let from = if args.tls_cert.is_some() { "--tls-cert" } else { "tls" };
            Failure::new(format!("{from}: {error}"))
        })?;
        let listeners = if app.grpc_triggers.is_empty() { 1 } else { 2 };
        let connections_max = connections(ward_serve::raise(), listeners);
        let proxies = Proxies::new(settings.trusted_proxies.iter().copied());
        let peer_share_percent = settings.peer_share_percent.into();
        Ok(Self { tls, proxies, peer_share_percent, connections_max })
    }

    /// A trigger's own limits within what is the same for all.
    pub(crate) fn limits(&self, own: Limits) -> Limits {
        Limits {
            peer_share_percent: self.peer_share_percent,
            connections_max: own.connections_max.min(self.connections_max),
            ..own
        }
    }
}

fn files(args: &UpArgs, settings: &Settings) -> Option<TlsFiles> {
    let here = |file: &PathBuf| Path::new(file).to_owned();
    match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert: here(cert), key: here(key) }),
        _ => settings.tls.clone(),
    }
}

/// How many connections each of so many servers may have.
fn connections(descriptors: Descriptors, servers: u64) -> usize {
    let limits = Limits::default();
    let wanted = limits.connections_max as u64;
    let beside = DESCRIPTORS_BESIDE
        + OPS_CONNECTIONS_MAX as u64
        + servers * limits.spare_connections_max as u64;
    let Some(limit) = descriptors.limit.filter(|limit| *limit < servers * wanted + beside) else {
        return limits.connections_max;
    };
    let each = (limit.saturating_sub(beside) / servers).max(limit / servers / 4).max(1);
    tracing::warn!(
        limit,
        connections = each,
        wanted,
        "the limit on open files allows fewer connections for each server than it would have; \
         raise the hard limit (ulimit -Hn)"
    );
    usize::try_from(each).unwrap_or(limits.connections_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_as_many_as_there_are_files_for() {
        let check = |limit: Option<u64>, servers: u64, expected: usize| {
            assert_eq!(connections(Descriptors { limit }, servers), expected, "{limit:?}");
        };
        check(None, 2, 4096);
        check(Some(9360), 2, 4096);
        check(Some(9359), 2, 4095);
        check(Some(4096), 1, 2992);
        check(Some(1024), 2, 128);
        check(Some(2), 2, 1);
    }
}
