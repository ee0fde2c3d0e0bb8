//! Opening a connection: names are resolved, every address that comes of it is judged by the
//! caller,
//! and the endpoints are tried in turn until one is what the address asks for. One deadline holds
//! for all of it; of what is left of it each endpoint has an equal part, so that one that is silent
//! does not take the others' time.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rand::seq::SliceRandom;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, SimpleQueryMessage, Socket};

use crate::address::{Address, Endpoint, Wanted};
use crate::error::DialError;
use crate::limits::ATTEMPT_MAX;
use crate::policy::Protection;
use crate::tls::Connector;
use crate::words::{chain, words};

/// A connection's other half: whoever has it moves its bytes.
pub type Connection =
    tokio_postgres::Connection<Socket, <Connector as MakeTlsConnect<Socket>>::Stream>;

/// An open connection.
pub struct Dialled {
    /// What statements go to.
    pub client: Client,
    /// What has to be polled for them to get there.
    pub connection: Connection,
    /// What a request to cancel a statement needs.
    pub connector: Connector,
}

/// Lets a connection go wherever it leads.
#[must_use]
pub fn everywhere(_: IpAddr) -> bool {
    true
}

/// Connects to the first endpoint that answers and is what was asked for, before `until`. An
/// address is connected to only where `may_reach` says so; one that may not refuses its name, since
/// which of them it would have been is not for whoever answers the query to choose.
///
/// # Errors
/// What became of the last endpoint that was tried.
pub async fn dial(
    address: &Address,
    until: Instant,
    may_reach: &(dyn Fn(IpAddr) -> bool + Sync),
) -> Result<Dialled, DialError> {
    let mut endpoints: Vec<&Endpoint> = address.endpoints().iter().collect();
    if address.session.shuffled {
        endpoints.shuffle(&mut rand::rng());
    }
    let rounds: &[Wanted] = match address.session.wanted {
        // Any will do, once it is known that there is no standby.
        Wanted::PreferStandby => &[Wanted::Standby, Wanted::Any],
        ref one => std::slice::from_ref(one),
    };
    let started = Instant::now();
    let mut left = endpoints.len() * rounds.len();
    let mut last = None;
    for wanted in rounds {
        for endpoint in &endpoints {
            let limit = address.session.attempt.unwrap_or(ATTEMPT_MAX);
            let attempt = Attempt { address, endpoint, wanted: *wanted, may_reach };
            match attempt.run(end(until, left, limit)).await {
                Ok(dialled) => return Ok(dialled),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => last = Some(error),
            }
            left -= 1;
        }
    }
    let late = || DialError::Late { place: address.place(), waited: started.elapsed() };
    Err(last.unwrap_or_else(late))
}

/// As [`dial`], to wherever the address leads; the connection ends when the client is dropped.
///
/// # Errors
/// As [`dial`].
pub async fn connect(address: &Address, within: Duration) -> Result<Client, DialError> {
    let dialled = dial(address, Instant::now() + within, &everywhere).await?;
    let mut connection = dialled.connection;
    tokio::spawn(async move {
        // Polled by hand: the library's own loop logs the server's notices, and what a trigger
        // raises as a notice may hold personal data. A failure shows at the client.
        while let Some(Ok(_)) = poll_fn(|cx| connection.poll_message(cx)).await {}
    });
    Ok(dialled.client)
}

/// When one of `left` that share what time there is has to be done.
fn end(until: Instant, left: usize, limit: Duration) -> Instant {
    let now = Instant::now();
    let share = until.saturating_duration_since(now) / u32::try_from(left.max(1)).unwrap_or(1);
    now + share.min(limit)
}

/// One endpoint.
struct Attempt<'a> {
    address: &'a Address,
    endpoint: &'a Endpoint,
    wanted: Wanted,
    may_reach: &'a (dyn Fn(IpAddr) -> bool + Sync),
}

impl Attempt<'_> {
    async fn run(&self, until: Instant) -> Result<Dialled, DialError> {
        let started = Instant::now();
        let protection = self.address.policy.at(self.endpoint);
        let connector = Connector::new(&self.address.policy, protection)?;
        let late = |_| DialError::Late { place: self.place(), waited: until - started };
        let (host, port) = match self.endpoint {
            Endpoint::Socket { directory, port } => {
                let mut config = self.config(protection, until);
                config.host_path(directory).port(*port);
                return timeout_at(until, self.open(&config, connector)).await.map_err(late)?;
            }
            Endpoint::Tcp { host, port, .. } => (host, *port),
        };
        let addresses = timeout_at(until, self.addresses(host)).await.map_err(late)??;
        let mut left = addresses.len();
        let mut last = None;
        for ip in addresses {
            let until = end(until, left, ATTEMPT_MAX);
            let mut config = self.config(protection, until);
            config.host(host).hostaddr(ip).port(port);
            let opened = timeout_at(until, self.open(&config, connector.clone())).await;
            match opened.map_err(late).and_then(|opened| opened) {
                Ok(dialled) => return Ok(dialled),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => last = Some(error),
            }
            left -= 1;
        }
        Err(last.unwrap_or_else(|| DialError::Unresolved { host: host.clone() }))
    }

    /// Where the name leads, all of it judged.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DialError> {
        let addresses = match self.endpoint {
            Endpoint::Tcp { address: Some(address), .. } => vec![*address],
            _ => {
                // The port plays no part; looking up a pair is what the library offers.
                let found = lookup_host((host, 0)).await;
                let found = found.map_err(|_| DialError::Unresolved { host: host.to_owned() })?;
                found.map(|address| address.ip()).collect()
            }
        };
        match addresses.iter().find(|address| !(self.may_reach)(**address)) {
            Some(blocked) => Err(DialError::Blocked(*blocked)),
            None => Ok(addresses),
        }
    }

    /// Everything but where.
    fn config(&self, protection: Protection, until: Instant) -> Config {
        let (target, session) = (self.address.target(), &self.address.session);
        let mut config = Config::new();
        if let Some(user) = target.user() {
            config.user(user);
        }
        if let Some(password) = &self.address.password {
            config.password(password);
        }
        if let Some(database) = target.database() {
            config.dbname(database);
        }
        if let Some(options) = &session.options {
            config.options(options);
        }
        config.application_name(session.application_name.as_deref().unwrap_or("ward"));
        config.channel_binding(session.channel_binding.into());
        config.ssl_mode(match protection {
            Protection::Plain => SslMode::Disable,
            Protection::Issuer | Protection::Full => SslMode::Require,
        });
        if self.address.policy.direct && protection != Protection::Plain {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        // Requests to cancel a statement are held to it as well, later on.
        config.connect_timeout(until.saturating_duration_since(Instant::now()));
        match session.keepalive {
            None => drop(config.keepalives(false)),
            Some((idle, interval, retries)) => {
                config.keepalives(true).keepalives_idle(idle);
                config.keepalives_interval(interval).keepalives_retries(retries);
            }
        }
        if let Some(limit) = session.user_timeout {
            config.tcp_user_timeout(limit);
        }
        config
    }

    async fn open(&self, config: &Config, connector: Connector) -> Result<Dialled, DialError> {
        let opened = config.connect(connector.clone()).await;
        let (client, mut connection) = opened.map_err(|error| self.failed(&error))?;
        let fits = match self.wanted.statement() {
            None => true,
            Some(statement) => ask(&client, &mut connection, statement)
                .await
                .map_err(|error| self.lost(error.as_ref()))?,
        };
        match fits {
            true => Ok(Dialled { client, connection, connector }),
            false => Err(DialError::Unfit { place: self.place(), wanted: self.wanted.name() }),
        }
    }

    fn place(&self) -> String {
        self.address.place_of(&self.endpoint.to_string())
    }

    fn lost(&self, error: Option<&tokio_postgres::Error>) -> DialError {
        match error {
            Some(error) => self.failed(error),
            None => DialError::Unreachable {
                place: self.place(),
                why: "the server closed the connection".to_owned(),
            },
        }
    }

    fn failed(&self, error: &tokio_postgres::Error) -> DialError {
        let place = self.place();
        if let Some(db) = error.as_db_error() {
            return DialError::Refused { place, words: words(error), code: db.code().clone() };
        }
        let why = std::error::Error::source(error).map_or_else(|| chain(error), chain);
        let text = error.to_string();
        // The library does not tell kinds apart but by their texts.
        if text.contains("server does not support TLS") {
            return DialError::NoTls { place };
        }
        match text.contains("TLS") {
            true => DialError::Untrusted { place, why },
            false => DialError::Unreachable { place, why },
        }
    }
}

impl Wanted {
    /// Asks whether a session is it: one row with one boolean. `None` where every session is.
    fn statement(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::ReadWrite => Some("SELECT current_setting('transaction_read_only') = 'off'"),
            Self::ReadOnly => Some("SELECT current_setting('transaction_read_only') = 'on'"),
            Self::Primary => Some("SELECT NOT pg_catalog.pg_is_in_recovery()"),
            Self::Standby | Self::PreferStandby => Some("SELECT pg_catalog.pg_is_in_recovery()"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "any server",
            Self::ReadWrite => "a server that takes changes",
            Self::ReadOnly => "a server for reading only",
            Self::Primary => "a primary",
            Self::Standby | Self::PreferStandby => "a standby",
        }
    }
}

/// Asks a question before anybody drives the connection. The error is `None` where it just ended.
async fn ask(
    client: &Client,
    connection: &mut Connection,
    statement: &str,
) -> Result<bool, Option<tokio_postgres::Error>> {
    let mut answer = pin!(client.simple_query(statement));
    let messages = poll_fn(|cx| {
        // First the question, then the connection that carries it.
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(answer.map_err(Some));
        }
        loop {
            match connection.poll_message(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Some(error))),
                Poll::Ready(None) => return Poll::Ready(Err(None)),
                Poll::Pending => return answer.as_mut().poll(cx).map_err(Some),
            }
        }
    })
    .await?;
    Ok(messages.iter().any(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0) == Some("t"),
        _ => false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(300)
    }

    async fn refused(address: &str, may_reach: &(dyn Fn(IpAddr) -> bool + Sync)) -> DialError {
        let address = Address::parse(address).unwrap();
        dial(&address, soon(), may_reach).await.err().unwrap()
    }

    #[tokio::test]
    async fn what_may_not_be_reached_is_not_by_address_or_by_name() {
        let elsewhere = |ip: IpAddr| !ip.is_loopback();
        for address in ["host=127.0.0.1", "host=localhost", "host=db.example hostaddr=127.9.9.9"] {
            let error = refused(&format!("{address} port=1"), &elsewhere).await;
            assert!(matches!(error, DialError::Blocked(_)), "{address}: {error}");
        }
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_and_a_port_that_nobody_has() {
        let error = refused("host=nothing.invalid", &everywhere).await;
        assert!(matches!(error, DialError::Unresolved { .. } | DialError::Late { .. }), "{error}");
        let error = refused("postgres://u:hunter2@127.0.0.1:1/d", &everywhere).await;
        assert!(matches!(error, DialError::Unreachable { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:1/d") && !text.contains("hunter2"), "{text}");
    }

    /// A listener that takes connections and says nothing.
    #[tokio::test]
    async fn the_silent_leave_time_for_the_others() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let error = refused(&format!("host=127.0.0.1 port={port}"), &everywhere).await;
        assert!(matches!(error, DialError::Late { .. }), "{error}");
        // The second one is reached, which is to say: not.
        let error = refused(&format!("host=127.0.0.1,127.0.0.1 port={port},1"), &everywhere).await;
        assert!(matches!(error, DialError::Unreachable { .. }), "{error}");
    }
}
