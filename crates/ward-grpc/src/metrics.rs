//! What is counted of calls: how many there were and how long they took, by method and status,
//! under the names that OpenTelemetry has for them. No label is anything a client sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::registry::Registry;
use ward_serve::Durations;

use crate::request_log::Label;

/// The numbers of a server; a clone is the same numbers.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Durations<Called>);

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Called {
    label: Option<Arc<Label>>,
    /// The status by its name in gRPC.
    code: &'static str,
}

impl Metrics {
    /// Has the numbers shown.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long calls took, to the status";
        self.0.register("rpc_server_call_duration", help, registry);
    }

    pub(crate) fn called(&self, label: Option<&Arc<Label>>, code: &'static str, took: Duration) {
        let called = Called { label: label.cloned(), code };
        self.0.observe(&called, took);
    }
}

impl EncodeLabelSet for Called {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let label = self.label.as_deref();
        [
            ("rpc_system_name", "grpc"),
            ("rpc_method", label.map_or("", |label| label.rpc.trim_start_matches('/'))),
            ("rpc_response_status_code", self.code),
            ("component", label.map_or("", |label| &label.component)),
        ]
        .encode(encoder)
    }
}
