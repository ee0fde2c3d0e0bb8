//! A database address as a guest gives it: parsed, checked against `allowed_outbound_hosts`, and
//! with the means to reach it. Every way to open a connection passes [`Address::parse`] and
//! [`Address::check`]; an [`Address`] never prints its password.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use ward_manifest::AllowedHosts;

use crate::capabilities::bindings::postgres::Error;

const DEFAULT_PORT: u16 = 5432;

/// How long one server may take to accept a connection, unless the address says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where, as whom and how to connect.
pub(crate) struct Address {
    /// Text and root certificate as given: what tells one pool from another.
    pub(super) key: PoolKey,
    /// The server: who shares it shares its limit of connections.
    pub(super) server: String,
    pub(super) config: Config,
    pub(super) tls: Tls,
    endpoints: Vec<(String, u16)>,
}

/// Two handles with equal keys may use the same connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PoolKey(Arc<(String, Option<String>)>);

/// How the connection is protected.
#[derive(Clone)]
pub(super) enum Tls {
    Off(NoTls),
    Rustls(MakeRustlsConnect),
}

impl Address {
    /// Reads a URL (`postgres://…`) or a `key=value` list; `ca_root` replaces the public roots.
    ///
    /// # Errors
    /// `connection-failed`, without any part of the address: it may hold a password.
    pub(crate) fn parse(text: &str, ca_root: Option<&str>) -> Result<Self, Error> {
        let mut config: Config = text.parse().map_err(|_| {
            failed("the address is neither a postgres:// URL nor a list of key=value pairs")
        })?;
        let endpoints = endpoints(&config)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("ward");
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => Tls::Off(NoTls),
            _ => Tls::Rustls(MakeRustlsConnect::new(tls_config(ca_root)?)),
        };
        let server = endpoints
            .iter()
            .map(|(host, port)| format!("{host}:{port}"))
            .collect::<Vec<_>>()
            .join(",");
        let key = PoolKey(Arc::new((text.to_owned(), ca_root.map(str::to_owned))));
        Ok(Address { key, server, config, tls, endpoints })
    }

    /// Refuses an address with any endpoint the component may not call.
    ///
    /// # Errors
    /// `connection-failed`, naming host and port.
    pub(crate) fn check(&self, hosts: &AllowedHosts, component: &str) -> Result<(), Error> {
        for (host, port) in &self.endpoints {
            if !hosts.allows("postgres", host, *port) {
                tracing::warn!(
                    host,
                    port,
                    component,
                    "refused a database that the component's allowed_outbound_hosts do not list"
                );
                return Err(failed(&format!("address postgres://{host}:{port} is not permitted")));
            }
        }
        Ok(())
    }
}

/// Every host and address in it, with its port. `hostaddr` is where the connection really goes, and
/// `host` is whom TLS trusts, so a component needs leave for both.
fn endpoints(config: &Config) -> Result<Vec<(String, u16)>, Error> {
    let ports = config.get_ports();
    let port = |index: usize| match ports {
        [] => DEFAULT_PORT,
        [only] => *only,
        many => many.get(index).copied().unwrap_or(DEFAULT_PORT),
    };
    let mut endpoints = Vec::new();
    for (index, host) in config.get_hosts().iter().enumerate() {
        match host {
            Host::Tcp(host) => endpoints.push((host.clone(), port(index))),
            #[cfg(unix)]
            Host::Unix(_) => return Err(failed("Unix sockets are not supported on WebAssembly")),
        }
    }
    for (index, address) in config.get_hostaddrs().iter().enumerate() {
        endpoints.push((address.to_string(), port(index)));
    }
    if endpoints.is_empty() {
        return Err(failed("the address names no host"));
    }
    Ok(endpoints)
}

/// TLS with the public roots, or with the given one only.
fn tls_config(ca_root: Option<&str>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    match ca_root {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate =
                    certificate.map_err(|_| failed("the root certificate is not PEM"))?;
                roots
                    .add(certificate)
                    .map_err(|_| failed("the root certificate cannot be used as one"))?;
            }
            if roots.is_empty() {
                return Err(failed("the root certificate holds no PEM certificate"));
            }
        }
    }
    // The provider is named here: a process-wide default might be set by nobody, or twice.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| failed("TLS cannot be set up"))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn failed(text: &str) -> Error {
    Error::ConnectionFailed(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str]) -> AllowedHosts {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        AllowedHosts::parse(&entries).unwrap()
    }

    #[test]
    fn each_host_and_address_needs_leave() {
        let hosts = allowed(&["postgres://db.example:5432", "postgres://10.0.0.1:5433"]);
        for (address, permitted) in [
            ("postgres://u:p@db.example/d", true),
            ("postgres://u:p@db.example:5432/d", true),
            ("postgres://u:p@db.example:5433/d", false),
            ("postgres://u:p@other.example/d", false),
            ("postgres://u:p@db.example,other.example/d", false),
            ("host=db.example user=u", true),
            ("host=db.example hostaddr=10.9.9.9 user=u", false),
            ("hostaddr=10.0.0.1 port=5433 user=u", true),
            ("hostaddr=10.0.0.1 user=u", false),
        ] {
            let address_ok = Address::parse(address, None).unwrap().check(&hosts, "test").is_ok();
            assert_eq!(address_ok, permitted, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for text in
            ["postgres://u:secret@h:port/d", "secret", "postgres:///d?host=/var/run", "user=u"]
        {
            let Err(Error::ConnectionFailed(told)) = Address::parse(text, None).map(|_| ()) else {
                panic!("{text} was accepted");
            };
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn a_root_that_is_no_certificate_is_refused() {
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "nonsense", bad] {
            assert!(Address::parse("host=h", Some(pem)).is_err(), "{pem}");
        }
    }
}
