//! Limits on what others may cost the process itself. Those of the servers are in their crates.

use std::time::Duration;

/// Connections for metrics at once: those who read them are a few scrapers, and others wait.
pub(crate) const METRICS_CONNECTIONS_MAX: usize = 16;

/// How long the head of a request for metrics may take.
pub(crate) const METRICS_HEAD_MAX: Duration = Duration::from_secs(10);

/// The pause after a failed accept, which is nearly always a lack of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
