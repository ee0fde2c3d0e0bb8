//! Numbers for those who run Ward, in the format of OpenMetrics, which Prometheus reads: `GET
//! /metrics` on a listener of its own, which is not the gateway's and opens only when asked for.
//! Numbers and the names that the manifest gives, nothing of what a request or an event is about.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use ward_events::{Log, LogUp};
use ward_runtime::Runtime;
use ward_serve::{
    Answer, Certificate, Connection, Door, Limits, Line, Options, Protocol, Proxies, Service,
    Ticket,
};

use crate::failure::Failure;
use crate::limits::METRICS_CONNECTIONS_MAX;

/// What is counted, wherever that happens.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) http: ward_http::Metrics,
    pub(crate) grpc: ward_grpc::Metrics,
    pub(crate) events: ward_events::Metrics,
}

impl Metrics {
    /// All of it, with what the runtime and the event log know.
    pub(crate) fn registry(&self, runtime: &Runtime, log: Option<&Arc<dyn Log>>) -> Registry {
        let mut registry = Registry::default();
        self.http.register(&mut registry);
        self.grpc.register(&mut registry);
        self.events.register(&mut registry);
        runtime.register(&mut registry);
        if let Some(log) = log {
            registry.register_collector(Box::new(LogUp(log.clone())));
        }
        registry
    }
}

/// The listener of the page.
pub(crate) type Server = ward_serve::Server<Page>;

/// Opens the listener, where one is asked for. With `local_names_only` it answers on loopback to
/// names of this machine only, as the others do.
pub(crate) fn bind(
    address: Option<SocketAddr>,
    tls: Option<Arc<Certificate>>,
    local_names_only: bool,
    registry: Registry,
) -> Result<Option<Server>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let limits = Limits {
        connections_max: METRICS_CONNECTIONS_MAX,
        // Those who read them are all of one network as a rule, and a proxy before them is one.
        peer_share_percent: 100,
        ..Limits::default()
    };
    let proxies = Proxies::default();
    let options = Options { limits, protocol: Protocol::Any, tls, proxies };
    let local_names_only = local_names_only && address.ip().is_loopback();
    let door = Door { address, service: Arc::new(Page { registry, local_names_only }) };
    let bound = Server::bind(vec![door], options).map_err(|(_, error)| error);
    bound.map(Some).map_err(Failure::because(format!("listening on {address} for metrics")))
}

/// The page as it is served.
pub(crate) struct Page {
    registry: Registry,
    local_names_only: bool,
}

impl Service for Page {
    type Body = Answer<Full<Bytes>, NoLine>;

    async fn answer(
        &self,
        connection: &Arc<Connection>,
        request: Request<Incoming>,
    ) -> Response<Self::Body> {
        let (head, _) = request.into_parts();
        let mut ticket = Ticket::begin(connection, &head, NoLine, true);
        // Without a place: to write the page costs less than to wait for one.
        let response = match self.local_names_only && !is_local(&head) {
            true => misdirected(),
            false => answer(&head.method, head.uri.path(), &self.registry),
        };
        response.map(|text| {
            let text = if head.method == Method::HEAD { String::new() } else { text };
            ticket.watch(connection.limits().response_stall_max);
            Answer::bytes(Bytes::from(text), ticket)
        })
    }
}

/// A scraper that comes every few seconds is not worth a line.
pub(crate) struct NoLine;

impl Line for NoLine {
    fn log(&self, duration_us: u64, whole: bool) {
        tracing::debug!(duration_us, whole, "the page with numbers was read");
    }

    fn is_refused(&self) -> bool {
        false
    }
}

/// Whether each name that the client used is one of this machine's.
fn is_local(head: &Parts) -> bool {
    let host = |value: &HeaderValue| Authority::try_from(value.as_bytes()).ok();
    let hosts = head.headers.get_all(HOST).iter().map(host);
    let mut names = hosts.chain(head.uri.authority().cloned().map(Some));
    names.all(|name| name.is_some_and(|name| ward_serve::is_local(name.host())))
}

fn misdirected() -> Response<String> {
    said(StatusCode::MISDIRECTED_REQUEST, "this is none of this listener's names\n".to_owned())
}

fn answer(method: &Method, path: &str, registry: &Registry) -> Response<String> {
    let (status, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, text(registry)),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "there is only /metrics here\n".to_owned()),
    };
    said(status, text)
}

fn said(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let kind = match status {
        StatusCode::OK => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a text does not fail, and no label here refuses to be one.
    let written = encode(&mut text, registry);
    debug_assert!(written.is_ok(), "{written:?}");
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_page() {
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.events.register(&mut registry);
        let (relay, trigger) =
            (metrics.events.relay("a\"b\\c\nd", "t"), metrics.events.trigger("x", "g"));
        relay.sent.inc_by(3);
        trigger.waiting.set(2);
        let page = text(&registry);
        let samples = page.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
        expect![[r#"
            ward_outbox_sent_total{outbox="a\"b\\c\nd",topic="t"} 3
            ward_outbox_send_failures_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_set_aside_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_removed_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_database_failures_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_consumer_calls_total{trigger="x",group="g"} 0
            ward_consumer_call_failures_total{trigger="x",group="g"} 0
            ward_consumer_done_total{trigger="x",group="g"} 0
            ward_consumer_retries_total{trigger="x",group="g"} 0
            ward_consumer_dead_letters_total{trigger="x",group="g"} 0
            ward_consumer_tombstones_total{trigger="x",group="g"} 0
            ward_consumer_for_others_total{trigger="x",group="g"} 0
            ward_consumer_waiting{trigger="x",group="g"} 2"#]]
        .assert_eq(&samples.join("\n"));
    }

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
    fn what_is_not_there() {
        let check = |method: &Method, path: &str, status: u16| {
            assert_eq!(answer(method, path, &Registry::default()).status(), status);
        };
        check(&Method::GET, "/metrics", 200);
        check(&Method::HEAD, "/metrics", 200);
        check(&Method::POST, "/metrics", 405);
        check(&Method::GET, "/", 404);
    }
}
