//! One request's presence: it counts against the limits while its ticket lives, and the ticket
//! writes the log line when it goes, with the response's last byte or the client's departure.
//! The line has the route's pattern and never the path, which may identify a patient.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use http::{Method, StatusCode, Version};
use ward_runtime::RequestId;

use crate::activity::{Activity, StreamClock};

/// What the log calls a route.
#[derive(Debug)]
pub(crate) struct Label {
    /// The pattern as the manifest has it.
    pub(crate) route: Box<str>,
    /// The component's id, or nothing for a static response.
    pub(crate) component: Box<str>,
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct Ticket {
    activity: Arc<Activity>,
    id: RequestId,
    version: Version,
    method: Method,
    started: Instant,
    label: Option<Arc<Label>>,
    status: Option<StatusCode>,
    admitted: bool,
    stream: Option<StreamClock>,
    whole: bool,
    probe: bool,
}

impl Ticket {
    /// A request begins.
    pub(crate) fn begin(
        activity: &Arc<Activity>,
        id: RequestId,
        version: Version,
        method: &Method,
    ) -> Self {
        activity.begin();
        Self {
            activity: activity.clone(),
            id,
            version,
            method: method.clone(),
            started: Instant::now(),
            label: None,
            status: None,
            admitted: false,
            stream: None,
            whole: false,
            probe: false,
        }
    }

    /// The request's id.
    pub(crate) fn id(&self) -> RequestId {
        self.id
    }

    /// When it began.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The protocol the request came by.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether the response must have no body.
    pub(crate) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// The request has found its route.
    pub(crate) fn routed(&mut self, label: &Arc<Label>) {
        self.label = Some(label.clone());
    }

    /// The route's names in the log.
    pub(crate) fn label(&self) -> Option<&Label> {
        self.label.as_deref()
    }

    /// The request is a health probe: its line is for debugging only.
    pub(crate) fn is_probe(&mut self) {
        self.probe = true;
    }

    /// Takes a place among the `max` requests in components; `false` if there is none.
    pub(crate) fn admit(&mut self, max: usize) -> bool {
        let admitted = &self.activity.counters.admitted;
        self.admitted = admitted.fetch_add(1, Relaxed) < max;
        if !self.admitted {
            admitted.fetch_sub(1, Relaxed);
        }
        self.admitted
    }

    /// The response has to be over within `longest`; watched where the protocol needs it.
    pub(crate) fn watch(&mut self, longest: Duration) {
        if self.version == Version::HTTP_2 {
            self.stream = Some(self.activity.begin_stream(longest));
        }
    }

    /// The response has begun.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The response has been handed over whole.
    pub(crate) fn finished(&mut self) {
        self.whole = true;
    }

    fn log(&self) {
        let (route, component) = match &self.label {
            Some(label) => (&*label.route, &*label.component),
            None => ("", ""),
        };
        let method = self.method.as_str();
        let status = self.status.map(|status| status.as_u16());
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (request_id, whole) = (self.id, self.whole);
        if self.probe {
            tracing::debug!(method, route, component, status, whole, duration_us, %request_id);
        } else {
            tracing::info!(method, route, component, status, whole, duration_us, %request_id);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.admitted {
            self.activity.counters.admitted.fetch_sub(1, Relaxed);
        }
        if let Some(stream) = self.stream.take() {
            self.activity.end_stream(stream);
        }
        self.activity.end();
        if tracing::enabled!(tracing::Level::INFO) {
            self.log();
        }
    }
}
