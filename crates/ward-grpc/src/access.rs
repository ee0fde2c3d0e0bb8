//! One call's presence: it counts against the limits while its ticket lives, and the ticket writes
//! the log line when it goes, with the answer's last byte or the client's departure. The line has
//! the method as the contract names it, and never what the client sent in its place.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tonic::Code;
use ward_runtime::RequestId;

use crate::clocks::{CallClock, Clocks};
use crate::status::code_name;

/// What the log calls a method.
#[derive(Debug)]
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
    Own,
}

/// A call in flight.
#[derive(Debug)]
pub(crate) struct Ticket {
    clocks: Arc<Clocks>,
    kind: Kind,
    id: RequestId,
    started: Instant,
    label: Option<Arc<Label>>,
    code: Option<Code>,
    admitted: bool,
    watching: bool,
    clock: Option<CallClock>,
}

impl Ticket {
    /// A call begins.
    pub(crate) fn begin(clocks: &Arc<Clocks>, kind: Kind, id: RequestId) -> Self {
        clocks.begin();
        if kind == Kind::Call {
            clocks.counters.calls.fetch_add(1, Relaxed);
        }
        Self {
            clocks: clocks.clone(),
            kind,
            id,
            started: Instant::now(),
            label: None,
            code: None,
            admitted: false,
            watching: false,
            clock: None,
        }
    }

    /// The call has found its method.
    pub(crate) fn routed(&mut self, label: &Arc<Label>) {
        self.label = Some(label.clone());
    }

    /// Takes a place among the `max` calls in components; `false` if there is none.
    pub(crate) fn admit(&mut self, max: usize) -> bool {
        let admitted = &self.clocks.counters.admitted;
        self.admitted = admitted.fetch_add(1, Relaxed) < max;
        if !self.admitted {
            admitted.fetch_sub(1, Relaxed);
        }
        self.admitted
    }

    /// Takes a place among the `max` streams that the host serves; `false` if there is none.
    pub(crate) fn admit_watch(&mut self, max: usize) -> bool {
        let watches = &self.clocks.counters.watches;
        self.watching = watches.fetch_add(1, Relaxed) < max;
        if !self.watching {
            watches.fetch_sub(1, Relaxed);
        }
        self.watching
    }

    /// The answer has to be with the client within `longest`.
    pub(crate) fn watch(&mut self, longest: Duration) {
        self.clock = Some(self.clocks.begin_call(longest));
    }

    /// The call's status is known.
    pub(crate) fn answered(&mut self, code: Code) {
        self.code = Some(code);
    }

    fn log(&self) {
        let (rpc, component) = match &self.label {
            Some(label) => (&*label.rpc, &*label.component),
            None => ("", ""),
        };
        // A client that left before there was a status has cancelled.
        let code = code_name(self.code.unwrap_or(Code::Cancelled));
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let request_id = self.id;
        match self.kind {
            Kind::Own => tracing::debug!(rpc, component, code, duration_us, %request_id),
            Kind::Call => tracing::info!(rpc, component, code, duration_us, %request_id),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let counters = &self.clocks.counters;
        if self.admitted {
            counters.admitted.fetch_sub(1, Relaxed);
        }
        if self.watching {
            counters.watches.fetch_sub(1, Relaxed);
        }
        if let Some(clock) = self.clock.take() {
            self.clocks.end_call(clock);
        }
        if self.kind == Kind::Call {
            counters.calls.fetch_sub(1, Relaxed);
        }
        self.clocks.end();
        if tracing::enabled!(tracing::Level::INFO) {
            self.log();
        }
    }
}
