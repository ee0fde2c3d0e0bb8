//! Limits on what others may cost the process itself. Those of the servers are in their crates.

/// Connections for metrics at once: those who read them are a few scrapers.
pub(crate) const METRICS_CONNECTIONS_MAX: usize = 16;

/// Files that the process has open beside its clients' connections: the databases', the brokers',
/// the store's, those of guests that connect to elsewhere, and connections that have to go for
/// another and have not yet.
pub(crate) const DESCRIPTORS_BESIDE: u64 = 1024;
