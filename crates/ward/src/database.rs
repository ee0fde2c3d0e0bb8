//! Connections to databases by address, and what may be said when one fails: a server's words can
//! quote values, so only those of kinds that never do are passed on.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use ward_events::{DatabaseError, Link};

use crate::failure::Failure;

/// How long a connection may take, unless its address says otherwise.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// SQLSTATE classes whose messages name objects and rules, never values: connections, unsupported
/// features, constraints, authorisation, catalogues, syntax, resources, state, intervention.
const CLASSES_SAID: [&str; 14] =
    ["08", "0A", "23", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58"];

/// Connects to an address. The connection ends when the client is dropped.
pub(crate) async fn connect(url: &str) -> Result<Client, Failure> {
    // The parser's words may quote a part of the address, and with it the password.
    let mut config: Config = url.parse().map_err(|_| {
        Failure::new("a database address cannot be read")
            .help("write it as postgres://user:password@host:5432/database")
    })?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    config.application_name("ward");
    let place = place(&config);
    let connected = match plain(&config) {
        true => drive(config.connect(NoTls).await),
        false => drive(config.connect(MakeRustlsConnect::new(tls()?)).await),
    };
    connected.map_err(|error| sql_error(&format!("connecting to {place}"), &error))
}

/// Connects for a relay, which listens for notifications as well.
pub(crate) async fn link(url: Arc<str>) -> Result<Link, DatabaseError> {
    // Said where the address is first used; here it has been.
    let mut config: Config =
        url.parse().map_err(|_| DatabaseError("its address cannot be read".to_owned()))?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    config.application_name("ward-relay");
    if plain(&config) {
        let (client, connection) = config.connect(NoTls).await?;
        return Ok(Link::new(client, connection));
    }
    let tls = tls().map_err(|failure| DatabaseError(failure.messages().join("; ")))?;
    let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await?;
    Ok(Link::new(client, connection))
}

/// `host:port/database`, for messages.
fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "?".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("{host}:{port}/{}", config.get_dbname().unwrap_or("?"))
}

/// Whether to do without TLS: where the address says so, or says nothing and the server is on this
/// machine, where certificates are the distribution's self-made ones.
fn plain(config: &Config) -> bool {
    let local = |host: &Host| match host {
        Host::Tcp(name) => is_loopback(name),
        Host::Unix(_) => true,
    };
    match config.get_ssl_mode() {
        SslMode::Disable => true,
        SslMode::Prefer => config.get_hosts().iter().all(local),
        _ => false,
    }
}

/// Whether a host's name is this machine's loopback.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn tls() -> Result<ClientConfig, Failure> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Failure::because("setting up TLS"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

type Connected<C> = Result<(Client, C), tokio_postgres::Error>;

fn drive<C>(connected: Connected<C>) -> Result<Client, tokio_postgres::Error>
where
    C: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    let (client, connection) = connected?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(code = ?error.code(), "a database connection ended");
        }
    });
    Ok(client)
}

/// A failure from a database error: what was being done, the SQLSTATE, and the message where it
/// cannot quote values. `detail` is never passed on.
pub(crate) fn sql_error(what: &str, error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else {
        return Failure::new(format!("{what}: {}", chain(error)));
    };
    let code = db.code().code();
    match CLASSES_SAID.iter().any(|class| code.starts_with(class)) {
        true => Failure::new(format!("{what}: {} ({code})", db.message())),
        false => Failure::new(format!("{what}: SQLSTATE {code}")),
    }
}

/// An error and its causes: for connections the cause has the news.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(&format!(": {part}"));
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{connect, is_loopback};

    #[test]
    fn loopback_has_several_names() {
        for (host, expected) in
            [("localhost", true), ("127.0.0.1", true), ("[::1]", true), ("db.example.org", false)]
        {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }

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
