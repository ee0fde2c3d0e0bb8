//! `allowed_outbound_hosts`: which addresses a component may call. Entries are read as Spin reads
//! them (reference section 1.7). What cannot be understood allows nothing: a host that does not
//! parse, or a scheme in no entry, is refused. This module never resolves names.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

/// The hosts one component may call. Entries are kept in the order of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    entries: Vec<AllowedHost>,
}

/// An entry of `allowed_outbound_hosts` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    /// Which entry, counted from 0.
    pub index: usize,
    /// The entry, with a user and password masked.
    pub entry: String,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub help: String,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.entry, self.problem)
    }
}

impl std::error::Error for HostError {}

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    /// Lower case; `None` is `*`.
    scheme: Option<String>,
    host: HostRule,
    ports: Ports,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostRule {
    Any,
    /// The application itself, reached by `http://self`.
    Itself,
    /// `.example.com`, with the dot, so that `badexample.com` does not match.
    Subdomain(String),
    Exactly(Host),
    Network(IpNet),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    Any,
    /// From the first up to, and without, the second, as in Spin.
    Range(u16, u16),
    Exactly(u16),
}

/// What is wrong with one entry, and what would be right.
type Flaw = (String, String);

const SHAPE: &str = "write <scheme>://<host>[:<port>], for example \"https://api.example.com\"";

impl AllowedHosts {
    /// Reads the entries, templates already expanded. An entry that expands to nothing, or to
    /// `http://` or `https://` alone, is skipped as in Spin: that is how an optional host is
    /// written.
    pub fn parse(entries: &[String]) -> Result<AllowedHosts, Vec<HostError>> {
        let mut parsed = Vec::with_capacity(entries.len());
        let mut errors = Vec::new();
        for (index, text) in entries.iter().enumerate() {
            if matches!(text.as_str(), "" | "http://" | "https://") {
                continue;
            }
            match AllowedHost::parse(text) {
                Ok(entry) => parsed.push(entry),
                Err((problem, help)) => {
                    errors.push(HostError { index, entry: mask(text), problem, help });
                }
            }
        }
        if errors.is_empty() { Ok(AllowedHosts { entries: parsed }) } else { Err(errors) }
    }

    /// Whether a call to this address is allowed. `host` is a name or an address literal, IPv6
    /// with or without brackets; case does not matter. A host that is none of these is refused.
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        let Some(host) = parse_host(host) else { return false };
        self.entries.iter().any(|entry| entry.allows(scheme, &host, port))
    }

    /// Whether the component may call its own application (`http://self`, or a wildcard host).
    pub fn allows_self(&self, scheme: &str) -> bool {
        self.entries.iter().any(|entry| {
            entry.allows_scheme(scheme) && matches!(entry.host, HostRule::Any | HostRule::Itself)
        })
    }

    /// Whether nothing at all is allowed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl AllowedHost {
    fn parse(text: &str) -> Result<AllowedHost, Flaw> {
        if text == "insecure:allow-all" {
            let problem = "is no longer understood".to_owned();
            return Err((problem, "\"*://*:*\" allows every address".to_owned()));
        }
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(("has no scheme".to_owned(), SHAPE.to_owned()));
        };
        if rest.contains('@') {
            let help = "leave out everything up to the `@`; the address the component opens \
                        carries it";
            return Err(("must not contain a user or a password".to_owned(), help.to_owned()));
        }
        let scheme = parse_scheme(scheme)?;
        let (host, port) = split_port(rest)?;
        let ports = Ports::parse(port, scheme.as_deref())?;
        Ok(AllowedHost { scheme, host: HostRule::parse(host)?, ports })
    }

    fn allows(&self, scheme: &str, host: &Host, port: u16) -> bool {
        self.allows_scheme(scheme) && self.host.allows(host) && self.ports.allows(port)
    }

    fn allows_scheme(&self, scheme: &str) -> bool {
        self.scheme.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(scheme))
    }
}

/// `*` is `None`; anything else is letters only, as in Spin.
fn parse_scheme(scheme: &str) -> Result<Option<String>, Flaw> {
    if scheme == "*" {
        return Ok(None);
    }
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphabetic()) {
        let problem = format!("has the scheme `{scheme}`, which is not one word of letters");
        return Err((problem, "use a scheme such as \"https\" or \"postgres\", or \"*\"".into()));
    }
    Ok(Some(scheme.to_ascii_lowercase()))
}

/// Parts `host[:port][/]` into host and port. IPv6 stands in brackets when a port follows, and
/// may stand bare when none does.
fn split_port(rest: &str) -> Result<(&str, &str), Flaw> {
    if IpNet::from_str(rest).is_ok() || Ipv6Addr::from_str(rest).is_ok() {
        return Ok((rest, ""));
    }
    if let Some((inside, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        let after = without_path(after)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((inside, port)),
            None if after.is_empty() => Ok((inside, "")),
            None => Err(("has text after the `]`".to_owned(), SHAPE.to_owned())),
        };
    }
    match rest.rsplit_once(':') {
        // A network keeps its slash; only what follows the port can be a path.
        Some((host, port)) => Ok((host, without_path(port)?)),
        None if is_network(rest) => Ok((rest, "")),
        None => Ok((without_path(rest)?, "")),
    }
}

/// Digits and dots before the slash: an IPv4 network, well formed or not.
fn is_network(rest: &str) -> bool {
    rest.split_once('/').is_some_and(|(address, bits)| {
        !bits.is_empty() && address.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

/// A path is not allowed, but a `/` alone is.
fn without_path(text: &str) -> Result<&str, Flaw> {
    match text.split_once('/') {
        None => Ok(text),
        Some((before, "")) => Ok(before),
        Some(_) => {
            let help = "leave out everything after the host and port; a host is allowed as a whole";
            Err(("has a path".to_owned(), help.to_owned()))
        }
    }
}

impl HostRule {
    fn parse(host: &str) -> Result<HostRule, Flaw> {
        match host {
            "" => return Err(("has no host".to_owned(), SHAPE.to_owned())),
            "*" => return Ok(HostRule::Any),
            "self" | "self.alt" => return Ok(HostRule::Itself),
            _ => {}
        }
        if let Ok(network) = IpNet::from_str(host) {
            return Ok(HostRule::Network(network.trunc()));
        }
        if host.contains('/') {
            let problem = format!("has `{host}` for a network, which is none");
            return Err((problem, "write a network as in \"10.0.0.0/8\"".to_owned()));
        }
        if let Some(domain) = host.strip_prefix("*.") {
            return match parse_host(domain) {
                Some(Host::Domain(domain)) if !domain.contains('*') => {
                    refuse_chaining(&domain)?;
                    Ok(HostRule::Subdomain(format!(".{domain}")))
                }
                _ => Err(wildcard_flaw()),
            };
        }
        if host.contains('*') {
            return Err(wildcard_flaw());
        }
        let Some(host) = parse_host(host) else {
            let problem = format!("has the host `{host}`, which is no host name or address");
            return Err((problem, SHAPE.to_owned()));
        };
        if let Host::Domain(domain) = &host {
            refuse_chaining(domain)?;
        }
        Ok(HostRule::Exactly(host))
    }

    fn allows(&self, host: &Host) -> bool {
        match self {
            HostRule::Any => true,
            // Its own application is not an address; `allows_self` answers for it.
            HostRule::Itself => false,
            HostRule::Subdomain(suffix) => {
                matches!(host, Host::Domain(domain) if domain.ends_with(suffix))
            }
            HostRule::Exactly(own) => own == host,
            HostRule::Network(network) => address_of(host).is_some_and(|ip| network.contains(&ip)),
        }
    }
}

/// `<component>.spin.internal` is no address but a call to a component of the application.
fn refuse_chaining(domain: &str) -> Result<(), Flaw> {
    const CHAINING: &str = "spin.internal";
    match domain.strip_suffix(CHAINING) {
        Some(before) if before.is_empty() || before.ends_with('.') => {
            let problem = "is service chaining, which is not supported by Ward yet".to_owned();
            Err((problem, "use a component dependency for a call inside the application".into()))
        }
        _ => Ok(()),
    }
}

fn wildcard_flaw() -> Flaw {
    let problem = "has a `*` inside the host".to_owned();
    (problem, "a `*` stands alone or before a domain: \"*.example.com\"".to_owned())
}

/// Normalises as URLs do: lower case, punycode, every way to write an address, a trailing dot off.
fn parse_host(host: &str) -> Option<Host> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let inside = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = Ipv6Addr::from_str(inside) {
        return Some(Host::Ipv6(address));
    }
    Host::parse(host).ok()
}

fn address_of(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        Host::Domain(_) => None,
    }
}

impl Ports {
    fn parse(port: &str, scheme: Option<&str>) -> Result<Ports, Flaw> {
        if port == "*" {
            return Ok(Ports::Any);
        }
        if port.is_empty() {
            return scheme.and_then(default_port).map(Ports::Exactly).ok_or_else(|| {
                let scheme = scheme.unwrap_or("*");
                let problem = format!("has no port, and `{scheme}` has no usual one");
                (problem, "add the port, as in \":8080\", or \":*\" for every port".to_owned())
            });
        }
        let flaw = || {
            let problem = format!("has the port `{port}`, which is not a number up to 65535");
            (problem, "write \":8080\", a range such as \":8000..9000\", or \":*\"".to_owned())
        };
        match port.split_once("..") {
            None => port.parse().map(Ports::Exactly).map_err(|_| flaw()),
            Some((from, to)) => {
                let from: u16 = from.parse().map_err(|_| flaw())?;
                let to: u16 = to.parse().map_err(|_| flaw())?;
                if from >= to {
                    let problem = format!("has the range `{port}`, which holds no port");
                    let help = "the end of a range is not part of it: \"8000..8001\" is port 8000";
                    return Err((problem, help.to_owned()));
                }
                Ok(Ports::Range(from, to))
            }
        }
    }

    fn allows(self, port: u16) -> bool {
        match self {
            Ports::Any => true,
            Ports::Range(from, to) => (from..to).contains(&port),
            Ports::Exactly(own) => own == port,
        }
    }
}

/// The port a scheme has when the address names none; Spin's table.
pub fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        _ => None,
    }
}

/// Masks a user and password, with or without a scheme before them.
fn mask(text: &str) -> String {
    let masked = crate::finding::mask_credentials(text);
    match masked.rsplit_once('@') {
        Some((before, host)) if !before.ends_with('…') => format!("…@{host}"),
        _ => masked,
    }
}
