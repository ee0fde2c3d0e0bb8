//! Limits on what others may cost the process itself. Those of the servers are in their crates.

/// Connections of operators at once: a few scrapers, a probe, somebody who looks.
pub(crate) const OPS_CONNECTIONS_MAX: usize = 16;

/// The largest component that may take another's place while serving.
pub(crate) const ARTIFACT_BYTES_MAX: u64 = 64 << 20;

/// How many of the files that a component has been made of stay compiled, the present one among
/// them.
pub(crate) const REVISIONS_KEPT_MAX: usize = 5;

/// Files that the process has open beside its clients' connections: the databases', the brokers',
/// the store's, those of guests that connect to elsewhere, and connections that have to go for
/// another and have not yet.
pub(crate) const DESCRIPTORS_BESIDE: u64 = 1024;
