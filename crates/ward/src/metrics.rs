//! Numbers for those who run Ward, as Prometheus reads them: `GET /metrics` on a listener of its
//! own, which is not the gateway's and opens only when asked for. Numbers and the names that the
//! manifest gives, nothing of what any event is about.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use ward_events::{Counter, EventsOptions, Log, RelayStats, TriggerStats};
use ward_serve::{
    Answer, Certificate, Connection, Door, Limits, Line, Options, Protocol, Proxies, Service,
    Ticket,
};

use crate::failure::Failure;
use crate::limits::METRICS_CONNECTIONS_MAX;

/// What is counted.
#[derive(Default)]
pub(crate) struct Numbers {
    log: Option<Arc<dyn Log>>,
    /// With labels.
    relays: Vec<(String, Arc<RelayStats>)>,
    consumers: Vec<(String, Arc<TriggerStats>)>,
}

impl Numbers {
    /// Those of an application's events; none where it has none.
    pub(crate) fn of(events: Option<&EventsOptions>) -> Self {
        let Some(events) = events else { return Self::default() };
        let relay = |relay: &ward_events::RelayOptions| {
            let labels = [("outbox", &*relay.name), ("topic", &*relay.topic)];
            (self::labels(&labels), relay.stats.clone())
        };
        let consumer = |trigger: &ward_events::TriggerOptions| {
            let labels = [("trigger", &*trigger.id), ("group", &*trigger.group)];
            (self::labels(&labels), trigger.stats.clone())
        };
        Self {
            log: Some(events.log.clone()),
            relays: events.relays.iter().map(relay).collect(),
            consumers: events.triggers.iter().map(consumer).collect(),
        }
    }

    /// The text format of Prometheus, version 0.0.4.
    fn text(&self) -> String {
        let mut page = Text::default();
        if let Some(log) = &self.log {
            let help = "Whether the event log could be used by the last event.";
            page.family("ward_log_up", "gauge", help);
            let labels = self::labels(&[("log", log.name())]);
            page.sample("ward_log_up", &labels, u64::from(log.is_up()));
        }
        for (name, help, counter) in RELAY {
            page.counters(name, help, &self.relays, counter);
        }
        for (name, help, counter) in CONSUMER {
            page.counters(name, help, &self.consumers, counter);
        }
        let waiting = "ward_consumer_waiting";
        page.family(waiting, "gauge", "Records here that are not answered for.");
        for (labels, stats) in &self.consumers {
            page.sample(waiting, labels, stats.waiting.get());
        }
        page.0
    }
}

/// What is counted of something: the name, what it means, and where it is.
type Family<T> = (&'static str, &'static str, fn(&T) -> &Counter);

const RELAY: [Family<RelayStats>; 4] = [
    ("ward_outbox_sent_total", "Events that the broker has acknowledged.", |s| &s.sent),
    ("ward_outbox_send_failures_total", "Attempts that failed and are repeated.", |s| &s.failed),
    ("ward_outbox_set_aside_total", "Events that can never be sent.", |s| &s.set_aside),
    (
        "ward_outbox_database_failures_total",
        "Connections to the outbox's database that were lost or could not be made.",
        |s| &s.disconnected,
    ),
];

const CONSUMER: [Family<TriggerStats>; 5] = [
    ("ward_consumer_calls_total", "Calls to the component.", |s| &s.calls),
    ("ward_consumer_call_failures_total", "Calls that came to nothing.", |s| &s.failed),
    ("ward_consumer_done_total", "Records that were applied or known already.", |s| &s.done),
    ("ward_consumer_retries_total", "Records that the component asked to have again.", |s| {
        &s.retried
    }),
    ("ward_consumer_dead_letters_total", "Records that were set aside.", |s| &s.dead),
];

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn counters<T>(
        &mut self,
        name: &str,
        help: &str,
        all: &[(String, Arc<T>)],
        counter: fn(&T) -> &Counter,
    ) {
        self.family(name, "counter", help);
        for (labels, stats) in all {
            self.sample(name, labels, counter(stats).get());
        }
    }
}

fn labels(labels: &[(&str, &str)]) -> String {
    let escape = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value)));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(","))
}

/// The listener of the page.
pub(crate) type Server = ward_serve::Server<Page>;

/// Opens the listener, where one is asked for.
pub(crate) fn bind(
    address: Option<SocketAddr>,
    tls: Option<Arc<Certificate>>,
    numbers: Numbers,
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
    let door = Door { address, service: Arc::new(Page(numbers)) };
    let bound = Server::bind(vec![door], options).map_err(|(_, error)| error);
    bound.map(Some).map_err(Failure::because(format!("listening on {address} for metrics")))
}

/// The page as it is served.
pub(crate) struct Page(Numbers);

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
        let response = answer(&head.method, head.uri.path(), &self.0);
        response.map(|text| {
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
}

fn answer(method: &Method, path: &str, numbers: &Numbers) -> Response<String> {
    let (status, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, numbers.text()),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "there is only /metrics here\n".to_owned()),
    };
    let mut response = Response::new(if method == Method::HEAD { String::new() } else { text });
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_page() {
        let numbers = Numbers {
            log: None,
            relays: vec![(labels(&[("outbox", "a\"b\\c\nd"), ("topic", "t")]), Arc::default())],
            consumers: vec![(labels(&[("trigger", "x")]), Arc::default())],
        };
        let page = numbers.text();
        let samples = page.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
        expect![[r#"
            ward_outbox_sent_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_send_failures_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_set_aside_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_outbox_database_failures_total{outbox="a\"b\\c\nd",topic="t"} 0
            ward_consumer_calls_total{trigger="x"} 0
            ward_consumer_call_failures_total{trigger="x"} 0
            ward_consumer_done_total{trigger="x"} 0
            ward_consumer_retries_total{trigger="x"} 0
            ward_consumer_dead_letters_total{trigger="x"} 0
            ward_consumer_waiting{trigger="x"} 0"#]]
        .assert_eq(&samples.join("\n"));
    }

    #[test]
    fn what_is_not_there() {
        let check = |method: &Method, path: &str, status: u16| {
            assert_eq!(answer(method, path, &Numbers::default()).status(), status);
        };
        check(&Method::GET, "/metrics", 200);
        check(&Method::HEAD, "/metrics", 200);
        check(&Method::POST, "/metrics", 405);
        check(&Method::GET, "/", 404);
    }
}
