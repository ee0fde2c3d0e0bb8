//! What is counted of requests: how many there were and how long they took, by method, route and
//! status, under the names that OpenTelemetry has for them. No label is anything a client sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::registry::Registry;
use ward_serve::Durations;

use crate::request_log::Label;

/// The numbers of a server; a clone is the same numbers.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Durations<Served>);

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Served {
    method: &'static str,
    label: Option<Arc<Label>>,
    status: Option<StatusCode>,
}

impl Metrics {
    /// Has the numbers shown.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long requests took, to the last byte of the answer";
        self.0.register("http_server_request_duration", help, registry);
    }

    pub(crate) fn served(
        &self,
        method: &'static str,
        label: Option<&Arc<Label>>,
        status: Option<StatusCode>,
        took: Duration,
    ) {
        let served = Served { method, label: label.cloned(), status };
        self.0.observe(&served, took);
    }
}

impl EncodeLabelSet for Served {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let label = self.label.as_deref();
        [
            ("http_request_method", self.method),
            ("http_route", label.map_or("", |label| &label.route)),
            // A client that left before there was one.
            ("http_response_status_code", self.status.as_ref().map_or("", StatusCode::as_str)),
            ("component", label.map_or("", |label| &label.component)),
        ]
        .encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_never_by_path() {
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        let label = Arc::new(Label { route: "/api/...".into(), component: "orders".into() });
        let took = Duration::from_micros(700);
        metrics.served("GET", Some(&label), Some(StatusCode::OK), took);
        metrics.served("GET", Some(&label), Some(StatusCode::OK), took);
        metrics.served("other", None, None, took);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let wanted = |line: &&str| line.contains("_count") || line.contains(r#"le="0.001""#);
        let mut found: Vec<&str> = text.lines().filter(wanted).collect();
        found.sort_unstable();
        let found = found.join("\n").replace(',', "\n ");
        expect![[r#"
            http_server_request_duration_seconds_bucket{le="0.001"
             http_request_method="GET"
             http_route="/api/..."
             http_response_status_code="200"
             component="orders"} 2
            http_server_request_duration_seconds_bucket{le="0.001"
             http_request_method="other"
             http_route=""
             http_response_status_code=""
             component=""} 1
            http_server_request_duration_seconds_count{http_request_method="GET"
             http_route="/api/..."
             http_response_status_code="200"
             component="orders"} 2
            http_server_request_duration_seconds_count{http_request_method="other"
             http_route=""
             http_response_status_code=""
             component=""} 1"#]]
        .assert_eq(&found);
    }
}
