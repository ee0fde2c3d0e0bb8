//! What the log is told of a request, and counted. The line has the route's pattern and never the
//! path, which may identify a person, and a method that is known or none: it is a client's text.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, StatusCode, Version};
use ward_runtime::RequestId;

use crate::metrics::Metrics;

/// What the log calls a route.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    /// The pattern as the manifest has it.
    pub(crate) route: Box<str>,
    /// The component's id, or nothing for a static response.
    pub(crate) component: Box<str>,
}

/// The line of one request.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) id: RequestId,
    pub(crate) version: Version,
    method: &'static str,
    pub(crate) label: Option<Arc<Label>>,
    pub(crate) status: Option<StatusCode>,
    /// Whether it is a health probe, whose line is for debugging only.
    pub(crate) is_probe: bool,
    metrics: Metrics,
}

impl Line {
    pub(crate) fn new(id: RequestId, head: &Parts, metrics: &Metrics) -> Self {
        let (version, method, metrics) = (head.version, name(&head.method), metrics.clone());
        Self { id, version, method, label: None, status: None, is_probe: false, metrics }
    }

    /// Whether the response must have no body.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The names of the route and of the component.
    pub(crate) fn names(&self) -> (&str, &str) {
        self.label.as_ref().map_or(("", ""), |label| (&*label.route, &*label.component))
    }
}

impl ward_serve::Line for Line {
    fn count(&self, took: Duration) {
        self.metrics.served(self.method, self.label.as_ref(), self.status, took);
    }

    fn is_refused(&self) -> bool {
        self.status.is_none_or(|status| status.is_client_error() || status.is_server_error())
    }

    fn log(&self, duration_us: u64, whole: bool) {
        let (method, (route, component)) = (self.method, self.names());
        let status = self.status.map(|status| status.as_u16());
        let request_id = self.id;
        if self.is_probe {
            tracing::debug!(method, route, component, status, whole, duration_us, %request_id);
        } else {
            tracing::info!(method, route, component, status, whole, duration_us, %request_id);
        }
    }

    fn broke_off(&self, error: &(dyn Error + 'static)) {
        let (request_id, (_, component)) = (self.id, self.names());
        tracing::warn!(%request_id, component, %error, "a response broke off");
    }
}

/// A method by a name of our own.
fn name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_known_or_another() {
        assert_eq!(name(&Method::PATCH), "PATCH");
        for method in ["get", "PURGE", &"A".repeat(60_000)] {
            assert_eq!(name(&Method::from_bytes(method.as_bytes()).unwrap()), "other");
        }
    }
}
