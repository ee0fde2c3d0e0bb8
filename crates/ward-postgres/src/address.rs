//! An address, read: where to go, as whom, and how. It is a value that has passed every check, so
//! that what follows cannot fail for what was written in it. Two addresses that are equal may use
//! the same connection; those that only go to the same place have the same [`Target`].

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use crate::error::AddressError;
use crate::limits::{ENDPOINTS_MAX, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES};
use crate::policy::{Policy, Root, SslMode};
use crate::target::Target;
use crate::text::{self, Parameters};

/// The port where an address names none.
const PORT: u16 = 5432;

/// Where, as whom and how to connect. Its password is nowhere printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    endpoints: Vec<Endpoint>,
    target: Arc<Target>,
    pub(crate) password: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) session: Session,
    /// As they were written, for [`Address::for_role`].
    pub(crate) written: Parameters,
}

/// One place where a server may be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// A host and a port.
    Tcp {
        /// The name, which a certificate has to be for; in lower case.
        host: String,
        /// Where the connection goes, in place of what the name resolves to.
        address: Option<IpAddr>,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Socket {
        /// The directory that it is in.
        directory: PathBuf,
        /// What its name ends with.
        port: u16,
    },
}

/// What a session is asked to be, and how its connection is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Session {
    pub(crate) application_name: Option<String>,
    pub(crate) options: Option<String>,
    pub(crate) wanted: Wanted,
    /// `load_balance_hosts=random`.
    pub(crate) shuffled: bool,
    /// `connect_timeout`, for each endpoint.
    pub(crate) attempt: Option<Duration>,
    pub(crate) channel_binding: ChannelBindingWanted,
    /// Idle time, interval and number of keepalives; `None` for none.
    pub(crate) keepalive: Option<(Duration, Duration, u32)>,
    pub(crate) user_timeout: Option<Duration>,
}

/// `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// `channel_binding`, as a value that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ChannelBindingWanted {
    Disable,
    Prefer,
    Require,
}

impl From<ChannelBindingWanted> for ChannelBinding {
    fn from(wanted: ChannelBindingWanted) -> Self {
        match wanted {
            ChannelBindingWanted::Disable => Self::Disable,
            ChannelBindingWanted::Prefer => Self::Prefer,
            ChannelBindingWanted::Require => Self::Require,
        }
    }
}

impl Address {
    /// Reads a URL (`postgres://…`) or a `key=value` list.
    ///
    /// # Errors
    /// What is wrong with it, without any part of it but the name of a parameter.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::of(text::read(text)?, None)
    }

    /// As [`Address::parse`], believing in the roots of `pem` and no others, whatever `sslrootcert`
    /// says. Whether there are any in it shows when a connection is made.
    ///
    /// # Errors
    /// As [`Address::parse`].
    pub fn parse_with_root(text: &str, pem: &str) -> Result<Self, AddressError> {
        Self::of(text::read(text)?, Some(Root::Given(pem.into())))
    }

    /// A server on this machine, such as ward's own.
    #[must_use]
    pub fn loopback(port: u16, user: &str, password: &str, database: &str) -> Self {
        let written = [
            ("host", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("user", user.to_owned()),
            ("password", password.to_owned()),
            ("dbname", database.to_owned()),
        ];
        let endpoint = Endpoint::tcp("127.0.0.1", None, port);
        let (user, database) = (Some(user.to_owned()), Some(database.to_owned()));
        let target = Target::new(std::slice::from_ref(&endpoint), user, database);
        Self {
            endpoints: vec![endpoint],
            target: Arc::new(target),
            password: Some(password.to_owned()),
            policy: Policy::default(),
            session: Session::default(),
            written: written.into_iter().collect(),
        }
    }

    fn of(mut written: Parameters, root: Option<Root>) -> Result<Self, AddressError> {
        let endpoints = endpoints(&written)?;
        let policy = policy(&written, root)?;
        let session = Session::read(&written)?;
        let user = written.get("user").cloned();
        let target = Target::new(&endpoints, user, written.get("dbname").cloned());
        let password = written.remove("password");
        Ok(Self { endpoints, target: Arc::new(target), password, policy, session, written })
    }

    /// Calls the session `name` where the address does not name it.
    #[must_use]
    pub fn or_named(mut self, name: &str) -> Self {
        self.session.application_name.get_or_insert_with(|| name.to_owned());
        self
    }

    /// The places it names, in order; at least one.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// What it reaches.
    #[must_use]
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// The file of the host's that it names, if it does.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.policy.root {
            Root::File(path) => Some(path),
            Root::Public | Root::Given(_) => None,
        }
    }

    /// `host:port/database` of its first endpoint, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        let first = self.endpoints.first().map(ToString::to_string).unwrap_or_default();
        self.place_of(&first)
    }

    pub(crate) fn place_of(&self, endpoint: &str) -> String {
        match self.target.database() {
            Some(database) => format!("{endpoint}/{database}"),
            None => endpoint.to_owned(),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.place()).finish()
    }
}

impl Endpoint {
    fn tcp(host: &str, address: Option<IpAddr>, port: u16) -> Self {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = address.or_else(|| host.parse().ok());
        Self::Tcp { host, address, port }
    }

    /// Whether it is a Unix socket.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        matches!(self, Self::Socket { .. })
    }

    /// Whether the way to it leaves this machine's loopback. A name is believed to be what it says:
    /// `localhost` is loopback (RFC 6761), and no other name is.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Tcp { address: Some(address), .. } => address.to_canonical().is_loopback(),
            Self::Tcp { host, address: None, .. } => host == "localhost",
            Self::Socket { .. } => true,
        }
    }
}

/// `host:port`, with brackets where they are needed, or the socket's path.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Socket { directory, port } => {
                write!(f, "{}/.s.PGSQL.{port}", directory.display())
            }
        }
    }
}

fn endpoints(written: &Parameters) -> Result<Vec<Endpoint>, AddressError> {
    let list = |name| match written.get(name) {
        Some(text) => text.split(',').map(str::trim).collect::<Vec<_>>(),
        None => Vec::new(),
    };
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = hosts.len().max(addresses.len());
    if count > ENDPOINTS_MAX {
        return Err(AddressError::TooManyHosts);
    }
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(AddressError::Count("hostaddr"));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(AddressError::Count("port"));
    }
    let port = |index: usize| match ports.get(index).or(ports.first()) {
        None | Some(&"") => Ok(PORT),
        Some(text) => text.parse().ok().filter(|port| *port > 0).ok_or(PORT_EXPECTED),
    };
    let mut endpoints = Vec::with_capacity(count);
    for index in 0..count {
        let host = hosts.get(index).copied().unwrap_or_default();
        let address = addresses.get(index).copied().unwrap_or_default();
        endpoints.push(endpoint(host, address, port(index)?)?);
    }
    match endpoints.is_empty() {
        true => Err(AddressError::NoHost),
        false => Ok(endpoints),
    }
}

const PORT_EXPECTED: AddressError =
    AddressError::Value { name: "port", expected: "a number from 1 to 65535" };

fn endpoint(host: &str, address: &str, port: u16) -> Result<Endpoint, AddressError> {
    let bad = |name, expected| AddressError::Value { name, expected };
    // An abstract socket has no directory that could be closed to others.
    if host.starts_with('@') || host.contains(char::is_whitespace) {
        return Err(bad("host", "a name, an IP address or an absolute directory"));
    }
    if address.is_empty() {
        return match host {
            "" => Err(AddressError::NoHost),
            path if path.starts_with('/') => {
                Ok(Endpoint::Socket { directory: PathBuf::from(path), port })
            }
            name => Ok(Endpoint::tcp(name, None, port)),
        };
    }
    let address: IpAddr =
        address.parse().map_err(|_| bad("hostaddr", "an IP address for each host"))?;
    match host {
        "" => Ok(Endpoint::tcp(&address.to_string(), Some(address), port)),
        path if path.starts_with('/') => Err(bad("hostaddr", "left out where host is a socket")),
        name => Ok(Endpoint::tcp(name, Some(address), port)),
    }
}

fn policy(written: &Parameters, given: Option<Root>) -> Result<Policy, AddressError> {
    let mode = written.get("sslmode").map_or(Ok(SslMode::default()), |mode| SslMode::read(mode))?;
    let root = match written.get("sslrootcert").map(String::as_str) {
        None | Some("system") => Root::Public,
        Some(path) => Root::File(PathBuf::from(path)),
    };
    let direct = choice(
        written,
        "sslnegotiation",
        "postgres or direct",
        &[("postgres", false), ("direct", true)],
    )?;
    let root = given.unwrap_or(root);
    let policy = Policy { mode, root, direct: direct.unwrap_or(false) };
    policy.check()?;
    Ok(policy)
}

impl Default for Session {
    fn default() -> Self {
        Self {
            application_name: None,
            options: None,
            wanted: Wanted::Any,
            shuffled: false,
            attempt: None,
            channel_binding: ChannelBindingWanted::Prefer,
            keepalive: Some((KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES)),
            user_timeout: None,
        }
    }
}

impl Session {
    fn read(written: &Parameters) -> Result<Self, AddressError> {
        use ChannelBindingWanted::{Disable, Prefer, Require};
        let fallback = || written.get("fallback_application_name");
        let shuffled = [("disable", false), ("random", true)];
        let binding = [("disable", Disable), ("prefer", Prefer), ("require", Require)];
        let shuffled =
            choice(written, "load_balance_hosts", "disable or random", &shuffled)?.unwrap_or(false);
        let channel_binding =
            choice(written, "channel_binding", "disable, prefer or require", &binding)?;
        let seconds = |name| Ok(number(written, name)?.map(|n| Duration::from_secs(n.into())));
        let keepalive = match number(written, "keepalives")? {
            Some(0) => None,
            _ => Some((
                seconds("keepalives_idle")?.unwrap_or(KEEPALIVE_IDLE),
                seconds("keepalives_interval")?.unwrap_or(KEEPALIVE_INTERVAL),
                number(written, "keepalives_count")?.unwrap_or(KEEPALIVE_RETRIES),
            )),
        };
        Ok(Self {
            application_name: written.get("application_name").or_else(fallback).cloned(),
            options: written.get("options").cloned(),
            wanted: Wanted::read(written)?,
            shuffled,
            // Zero means no limit to libpq; here the deadline of the whole still holds.
            attempt: seconds("connect_timeout")?.filter(|limit| !limit.is_zero()),
            channel_binding: channel_binding.unwrap_or(Prefer),
            keepalive,
            user_timeout: number(written, "tcp_user_timeout")?
                .filter(|ms| *ms > 0)
                .map(|ms| Duration::from_millis(ms.into())),
        })
    }
}

impl Wanted {
    fn read(written: &Parameters) -> Result<Self, AddressError> {
        let known = [
            ("any", Self::Any),
            ("read-write", Self::ReadWrite),
            ("read-only", Self::ReadOnly),
            ("primary", Self::Primary),
            ("standby", Self::Standby),
            ("prefer-standby", Self::PreferStandby),
        ];
        let expected = "any, read-write, read-only, primary, standby or prefer-standby";
        Ok(choice(written, "target_session_attrs", expected, &known)?.unwrap_or(Self::Any))
    }
}

/// A parameter that has one of a few values; `None` where it is not there.
fn choice<T: Copy>(
    written: &Parameters,
    name: &'static str,
    expected: &'static str,
    known: &[(&str, T)],
) -> Result<Option<T>, AddressError> {
    let Some(value) = written.get(name) else { return Ok(None) };
    let found = known.iter().find(|(text, _)| text == value);
    found.map(|(_, meaning)| Some(*meaning)).ok_or(AddressError::Value { name, expected })
}

/// A parameter that counts something; `None` where it is not there, or below zero, which is how
/// libpq's users write "as it is".
fn number(written: &Parameters, name: &'static str) -> Result<Option<u32>, AddressError> {
    let Some(value) = written.get(name) else { return Ok(None) };
    let bad = || AddressError::Value { name, expected: "a whole number" };
    let number: i64 = value.trim().parse().map_err(|_| bad())?;
    match number {
        ..0 => Ok(None),
        number => u32::try_from(number).map(Some).map_err(|_| bad()),
    }
}
