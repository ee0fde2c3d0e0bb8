//! What the log is told of a call. The line has the method as the contract names it, and never what
//! the client sent in its place.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tonic::Code;
use ward_runtime::RequestId;

use crate::metrics::Metrics;
use crate::status::code_name;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What the log calls a method.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    /// `/service/Method`.
    pub(crate) rpc: Box<str>,
    /// The component's id.
    pub(crate) component: Box<str>,
}

/// Whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One for the application, or for nothing that is here.
    Call,
    /// One that the host answers itself: a health check, a reflection stream.
    Builtin,
}

/// The line of one call.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) id: RequestId,
    pub(crate) kind: Kind,
    pub(crate) label: Option<Arc<Label>>,
    pub(crate) code: Option<Code>,
    pub(crate) metrics: Metrics,
}

impl Line {
    /// A client that left before there was a status has cancelled.
    fn code_name(&self) -> &'static str {
        code_name(self.code.unwrap_or(Code::Cancelled))
    }
}

impl ward_serve::Line for Line {
    fn count(&self, took: Duration) {
        if self.kind == Kind::Call {
            self.metrics.called(self.label.as_ref(), self.code_name(), took);
        }
    }

    fn is_refused(&self) -> bool {
        self.kind == Kind::Call && self.code != Some(Code::Ok)
    }

    fn log(&self, duration_us: u64, _whole: bool) {
        let code = self.code_name();
        let (rpc, component) = match &self.label {
            Some(label) => (&*label.rpc, &*label.component),
            None => ("", ""),
        };
        let request_id = self.id;
        match self.kind {
            Kind::Builtin => tracing::debug!(rpc, component, code, duration_us, %request_id),
            Kind::Call => tracing::info!(rpc, component, code, duration_us, %request_id),
        }
    }

    fn trailers(&mut self, trailers: &HeaderMap) {
        self.code = code(trailers).or(self.code);
    }
}

/// The status in a head or in trailers.
pub(crate) fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}
