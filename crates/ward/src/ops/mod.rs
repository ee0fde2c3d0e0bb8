//! The listener for those who run Ward: whether it lives and is ready, numbers in the format of
//! OpenMetrics, which build of each component serves, and another build in its place. Names that
//! the manifest gives, digests, numbers and codes: nothing of what a request or an event is about.
//! What changes or describes the application takes a token of its own; no user of the application
//! has it, and it opens nothing but this.

mod answers;
pub(crate) mod client;
mod numbers;
mod ready;
mod token;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use prometheus_client::registry::Registry;
use ward_serve::{
    Answer, Certificate, Connection, Door, Inbound, Limits, Line, Options, Protocol, Proxies,
    Refusal, Service, Ticket,
};

use crate::failure::Failure;
use crate::limits::{ARTIFACT_BYTES_MAX, OPS_CONNECTIONS_MAX};
use crate::releases::{Plan, Refused, Releases};
use answers::Problem;

pub(crate) use numbers::Metrics;
pub(crate) use ready::Ready;
pub(crate) use token::Token;

/// Where it listens unless it is told otherwise: what may replace a component is for this machine.
pub(crate) const PORT: u16 = 4006;

/// Where to listen: as asked; on a port that the system picks, where the gateway is on one.
pub(crate) fn address(ops: Option<SocketAddr>, gateway: Option<SocketAddr>) -> SocketAddr {
    let port = if gateway.is_some_and(|gateway| gateway.port() == 0) { 0 } else { PORT };
    ops.unwrap_or_else(|| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

/// What there is to ask and to do.
pub(crate) struct Ops {
    pub(crate) registry: Registry,
    pub(crate) ready: Ready,
    pub(crate) releases: Arc<Releases>,
    pub(crate) token: Token,
    /// Whether names of this machine alone are answered to: a page in a browser may have a name of
    /// its own lead here.
    pub(crate) local_names_only: bool,
}

/// The listener, open.
pub(crate) type Server = ward_serve::Server<Ops>;

/// Opens the listener. On this machine's own addresses it speaks clear text, whatever the others
/// do: what a scraper or `ward swap` sends does not leave the machine.
pub(crate) fn bind(
    address: SocketAddr,
    tls: Option<Arc<Certificate>>,
    ops: Ops,
) -> Result<Server, Failure> {
    let limits = Limits {
        connections_max: OPS_CONNECTIONS_MAX,
        body_bytes_max: ARTIFACT_BYTES_MAX,
        // Those who ask are all of one network as a rule, and a proxy before them is one.
        peer_share_percent: 100,
        ..Limits::default()
    };
    let proxies = Proxies::default();
    let is_here = address.ip().is_loopback();
    if !is_here && tls.is_none() {
        let text = format!("--ops {address} leaves this machine, and there is no certificate");
        return Err(Failure::new(text).help("give one with --tls-cert, or listen on 127.0.0.1"));
    }
    let tls = tls.filter(|_| !is_here);
    let options = Options { limits, protocol: Protocol::Any, tls, proxies };
    let door = Door { address, service: Arc::new(ops) };
    let bound = Server::bind(vec![door], options).map_err(|(_, error)| error);
    bound.map_err(Failure::because(format!("listening on {address} for operators")))
}

impl Service for Ops {
    type Body = Answer<Full<Bytes>, NoLine>;

    async fn answer(
        &self,
        connection: &Arc<Connection>,
        request: Request<Incoming>,
    ) -> Response<Self::Body> {
        let (head, body) = request.into_parts();
        let body = Inbound::new(body, &head, connection.limits());
        let mut ticket = Ticket::begin(connection, &head, NoLine, true);
        let named = match self.local_names_only && !is_local(&head) {
            true => Err(Problem::Misdirected),
            false => self.carry_out(&head, body, &mut ticket).await,
        };
        let response = named.unwrap_or_else(|problem| problem.response());
        response.map(|text| {
            ticket.watch(connection.limits().response_stall_max);
            let text = if head.method == Method::HEAD { Bytes::new() } else { text };
            Answer::bytes(text, ticket)
        })
    }
}

impl Ops {
    async fn carry_out(
        &self,
        head: &Parts,
        mut body: Inbound,
        ticket: &mut Ticket<NoLine>,
    ) -> Result<Response<Bytes>, Problem> {
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        let is_open = matches!(path.as_slice(), [""] | ["livez"] | ["readyz"] | ["metrics"]);
        if !is_open {
            self.token.admit(&head.headers)?;
        }
        // Whoever changes something is at work: no newcomer has its connection closed. What is
        // only asked costs less than to wait for a place.
        let changes = !is_open && !matches!(head.method, Method::GET | Method::HEAD);
        let _place = match changes {
            true if body.is_too_large() => return Err(Problem::TooLarge),
            true => {
                body.gather(ticket).await.map_err(of_body)?;
                Some(ticket.admit().await.map_err(|_| Problem::Overloaded)?)
            }
            false => None,
        };
        match path.as_slice() {
            [""] => reading(head, || answers::json(&answers::links())),
            ["livez"] => reading(head, || answers::text("ok\n".to_owned())),
            ["readyz"] => {
                let checks = self.ready.checks().await;
                let query = head.uri.query().unwrap_or_default();
                let mut names = query.split('&').filter_map(|part| part.split('=').next());
                let is_verbose = names.any(|name| name == "verbose");
                reading(head, || answers::ready(&checks, is_verbose))
            }
            ["metrics"] => reading(head, || answers::numbers(&self.registry)),
            ["app"] => reading(head, || answers::json(&self.releases.shown())),
            ["revisions"] => reading(head, || answers::json(&self.releases.revisions())),
            ["components", id] if head.method == Method::PUT => {
                let plan = Plan::read(head.uri.query()).map_err(Refused::Malformed)?;
                let wasm = body.collect().await.map_err(of_body)?.to_bytes();
                Ok(answers::json(&self.releases.swap(id, wasm.into(), &plan).await?))
            }
            ["components", id, "promote"] if head.method == Method::POST => {
                let percent = Plan::percent_alone(head.uri.query()).map_err(Refused::Malformed)?;
                Ok(answers::json(&self.releases.promote(id, percent).await?))
            }
            ["components", id, "rollback"] if head.method == Method::POST => {
                Ok(answers::json(&self.releases.roll_back(id).await?))
            }
            ["components", _] => Err(Problem::Method("PUT")),
            ["components", _, "rollback" | "promote"] => Err(Problem::Method("POST")),
            _ => Err(Problem::NotFound),
        }
    }
}

/// Whether each name that the client used is one of this machine's.
fn is_local(head: &Parts) -> bool {
    let host = |value: &HeaderValue| Authority::try_from(value.as_bytes()).ok();
    let hosts = head.headers.get_all(HOST).iter().map(host);
    let mut names = hosts.chain(head.uri.authority().cloned().map(Some));
    names.all(|name| name.is_some_and(|name| ward_serve::is_local(name.host())))
}

fn reading(
    head: &Parts,
    answer: impl FnOnce() -> Response<Bytes>,
) -> Result<Response<Bytes>, Problem> {
    match head.method {
        Method::GET | Method::HEAD => Ok(answer()),
        _ => Err(Problem::Method("GET, HEAD")),
    }
}

fn of_body(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::TooLarge => Problem::TooLarge,
        Refusal::TooSlow | Refusal::TooMany | Refusal::BrokeOff => Problem::BrokeOff,
    }
}

/// Whoever comes every few seconds is not worth a line; what changes something has one of its own.
pub(crate) struct NoLine;

impl Line for NoLine {
    fn log(&self, duration_us: u64, whole: bool) {
        tracing::debug!(duration_us, whole, "an operator was answered");
    }

    fn is_refused(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::HOST;

    use super::{address, is_local};

    #[test]
    fn names_of_this_machine() {
        let check = |uri: &str, hosts: &[&str], expected: bool| {
            let mut request = Request::get(uri);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(is_local(&head), expected, "{uri} {hosts:?}");
        };
        check("/metrics", &["localhost:9090"], true);
        check("/metrics", &["127.0.0.1:9090"], true);
        check("/metrics", &[], true);
        check("/metrics", &["evil.example:9090"], false);
        check("/metrics", &["localhost", "evil.example"], false);
        check("/metrics", &["a b"], false);
        check("http://[::1]:1/metrics", &[], true);
        check("http://evil.example/metrics", &[], false);
        check("http://evil.example/metrics", &["localhost"], false);
    }

    #[test]
    fn it_listens_on_this_machine_and_beside_a_gateway_that_the_system_placed() {
        let check = |ops: Option<&str>, gateway: Option<&str>, expected: &str| {
            let parse = |text: &str| text.parse().unwrap();
            assert_eq!(address(ops.map(parse), gateway.map(parse)).to_string(), expected);
        };
        check(None, None, "127.0.0.1:4006");
        check(None, Some("0.0.0.0:8080"), "127.0.0.1:4006");
        check(None, Some("127.0.0.1:0"), "127.0.0.1:0");
        check(Some("10.0.0.1:9"), Some("127.0.0.1:0"), "10.0.0.1:9");
    }
}
