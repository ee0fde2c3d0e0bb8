//! Connections of ward's own to databases: for migrations, roles and the outbox relay. How an
//! address is read, protected and dialled is `ward-postgres`'s; here its errors become failures.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Client;
use ward_events::{DatabaseError, Link};
use ward_postgres::{Address, DialError, everywhere, words};

use crate::failure::Failure;

/// How long a connection may take in all.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Reads an address.
pub(crate) fn address(text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| {
        Failure::new(error).help("write it as postgres://user:password@host:5432/database")
    })
}

/// Connects to an address. The connection ends when the client is dropped.
pub(crate) async fn connect(text: &str) -> Result<Client, Failure> {
    let connected = ward_postgres::connect(&address(text)?, CONNECT_MAX).await;
    connected.map_err(|error| failed(&error))
}

/// What is said of a server that takes long to answer.
pub(crate) fn away(what: &str) -> String {
    format!("{what} does not answer yet; it is waited for, {} s at most", CONNECT_MAX.as_secs())
}

/// Connects for a relay, which listens for notifications as well.
pub(crate) async fn link(text: Arc<str>) -> Result<Link, DatabaseError> {
    let address = Address::parse(&text).map_err(|error| DatabaseError(error.to_string()))?;
    let address = address.or_named("ward-relay");
    let dialled = ward_postgres::dial(&address, Instant::now() + CONNECT_MAX, &everywhere).await;
    let dialled = dialled.map_err(|error| DatabaseError(error.to_string()))?;
    Ok(Link::new(dialled.client, dialled.connection))
}

/// The address of the key-value stores' database, for the runtime.
pub(crate) fn key_value(text: &str) -> Result<Arc<Address>, Failure> {
    Ok(Arc::new(address(text)?.or_named("ward-key-value")))
}

fn failed(error: &DialError) -> Failure {
    let failure = Failure::new(error);
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// A failure from a database error: what was being done, and what may be said of it.
pub(crate) fn sql_error(what: &str, error: &tokio_postgres::Error) -> Failure {
    Failure::new(format!("{what}: {}", words(error)))
}

#[cfg(test)]
mod tests {
    use super::connect;

    #[tokio::test]
    async fn a_failed_connection_names_the_place_and_no_password() {
        for url in ["postgres://u:hunter2@127.0.0.1:1/d", "postgres://u:hunter2@h:x:y/d", "hunter2"]
        {
            let text = format!("{:?}", connect(url).await.err().unwrap());
            assert!(!text.contains("hunter2"), "{text}");
        }
        let failure = connect("postgres://u:p@127.0.0.1:1/d").await.err().unwrap();
        assert!(failure.messages()[0].contains("127.0.0.1:1/d"), "{failure:?}");
    }
}
