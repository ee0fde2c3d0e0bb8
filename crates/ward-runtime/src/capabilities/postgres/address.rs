//! A database address as a guest gives it: read, and checked against what the component was
//! granted. Every way to open a connection passes [`Addresses::read`] and [`Grants::check`].

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ward_manifest::AllowedHosts;
use ward_postgres::{Address, AddressError, Endpoint};

use crate::capabilities::bindings::postgres::Error;
use crate::limits::POSTGRES_ADDRESSES_MAX;

/// A text and, where the guest gave one, a root certificate.
type Written = (String, Option<String>);

/// Addresses that have been read. A component opens the same one for each request.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<HashMap<Written, Arc<Address>>>);

impl Addresses {
    /// Reads an address; `ca_root` takes the place of the roots it names, and of the public ones.
    ///
    /// # Errors
    /// `connection-failed`, without any part of the address: it may hold a password.
    pub(crate) fn read(&self, text: &str, ca_root: Option<&str>) -> Result<Arc<Address>, Error> {
        let written = (text.to_owned(), ca_root.map(str::to_owned));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = known.get(&written) {
            return Ok(address.clone());
        }
        let address = Arc::new(read(text, ca_root).map_err(|error| failed(&error.to_string()))?);
        if known.len() >= POSTGRES_ADDRESSES_MAX {
            known.clear();
        }
        known.insert(written, address.clone());
        Ok(address)
    }
}

fn read(text: &str, ca_root: Option<&str>) -> Result<Address, AddressError> {
    match ca_root {
        Some(pem) => Address::parse_with_root(text, pem),
        None => Address::parse(text),
    }
}

/// Where one component may connect.
pub(crate) struct Grants {
    component: Arc<str>,
    hosts: Arc<AllowedHosts>,
    /// Addresses that are the operator's own words, and may name a file of the host's.
    trusted: BTreeSet<String>,
}

impl Grants {
    /// `hosts`: the `allowed_outbound_hosts` of `component`, templates resolved; `variables`: the
    /// values of its variables.
    pub(crate) fn new(
        component: Arc<str>,
        hosts: Arc<AllowedHosts>,
        variables: impl Iterator<Item = String>,
    ) -> Self {
        let trusted = variables.filter(|value| value.contains("sslrootcert")).collect();
        Grants { component, hosts, trusted }
    }

    /// Refuses an address with any endpoint the component may not call, and one that would have
    /// the host open a file for it.
    ///
    /// # Errors
    /// `connection-failed`, naming host and port.
    pub(crate) fn check(&self, address: &Address, text: &str) -> Result<(), Error> {
        for endpoint in address.endpoints() {
            self.check_endpoint(endpoint)?;
        }
        match address.file().is_some() && !self.trusted.contains(text) {
            true => Err(failed(
                "sslrootcert names a file of the host's, which only an address out of the \
                 component's variables may; give the certificate itself with set-ca-root",
            )),
            false => Ok(()),
        }
    }

    /// `hostaddr` is where the connection really goes, and `host` is whom TLS trusts, so a
    /// component needs leave for both.
    fn check_endpoint(&self, endpoint: &Endpoint) -> Result<(), Error> {
        let Endpoint::Tcp { host, address, port } = endpoint else {
            return Err(failed("Unix sockets are not supported on WebAssembly"));
        };
        let address = address.as_ref().map(IpAddr::to_string);
        for host in std::iter::once(host).chain(&address) {
            if !self.hosts.allows("postgres", host, *port) {
                tracing::warn!(
                    host,
                    port,
                    component = &*self.component,
                    "refused a database that the component's allowed_outbound_hosts do not list"
                );
                return Err(failed(&format!("address postgres://{host}:{port} is not permitted")));
            }
        }
        Ok(())
    }
}

fn failed(text: &str) -> Error {
    Error::ConnectionFailed(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grants: &Grants, text: &str) -> Result<(), Error> {
        grants.check(&*Addresses::default().read(text, None)?, text)
    }

    fn grants(entries: &[&str], variables: &[&str]) -> Grants {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        let hosts = Arc::new(AllowedHosts::parse(&entries).unwrap());
        Grants::new("test".into(), hosts, variables.iter().map(|value| (*value).to_owned()))
    }

    #[test]
    fn each_host_and_address_needs_leave() {
        let grants = grants(&["postgres://db.example:5432", "postgres://10.0.0.1:5433"], &[]);
        for (address, permitted) in [
            ("postgres://u:p@db.example/d", true),
            ("postgres://u:p@DB.example.:5432/d", true),
            ("postgres://u:p@db.example:5433/d", false),
            ("postgres://u:p@other.example/d", false),
            ("postgres://u:p@db.example,other.example/d", false),
            ("host=db.example user=u", true),
            ("host=db.example hostaddr=10.9.9.9 user=u", false),
            ("hostaddr=10.0.0.1 port=5433 user=u", true),
            ("hostaddr=10.0.0.1 user=u", false),
            ("host=db.example hostaddr=10.0.0.1 port=5433", false),
            ("postgres:///d?host=/var/run", false),
            ("host=db.example,/var/run", false),
        ] {
            assert_eq!(check(&grants, address).is_ok(), permitted, "{address}");
        }
    }

    #[test]
    fn a_file_of_the_hosts_is_named_by_the_operator_or_not_at_all() {
        let address = "postgres://u:p@h/d?sslrootcert=/etc/passwd";
        assert!(check(&grants(&["postgres://h"], &[address]), address).is_ok());
        for variables in [&[][..], &["postgres://u:p@h/d", "sslrootcert=/etc/passwd"]] {
            let refused = check(&grants(&["postgres://h"], variables), address).unwrap_err();
            assert!(matches!(refused, Error::ConnectionFailed(text) if !text.contains("passwd")));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for text in ["postgres://u:secret@h:port/d", "secret", "user=u"] {
            let Err(Error::ConnectionFailed(told)) = Addresses::default().read(text, None) else {
                panic!("{text} was accepted");
            };
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn so_many_are_remembered() {
        let addresses = Addresses::default();
        for n in 0..POSTGRES_ADDRESSES_MAX * 2 {
            addresses.read(&format!("host=h{n}"), None).unwrap();
        }
        assert!(addresses.0.lock().unwrap().len() <= POSTGRES_ADDRESSES_MAX);
    }
}
