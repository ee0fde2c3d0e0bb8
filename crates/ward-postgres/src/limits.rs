//! How long and how much, in one place.

use std::time::Duration;

/// The longest one endpoint may take, where the address has no `connect_timeout`: a server on the
/// other side of the world is ready within a second, and the next one is to be tried in time.
pub(crate) const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// Endpoints of one address. libpq has no limit; nobody runs more replicas than this, and each of
/// them may take its share of the deadline.
pub(crate) const ENDPOINTS_MAX: usize = 16;

/// Bytes of an address. A password of a few hundred and sixteen hosts are well below.
pub(crate) const ADDRESS_BYTES_MAX: usize = 16 << 10;

/// Bytes of a file with root certificates: the public web's are a quarter of that.
pub(crate) const ROOT_BYTES_MAX: u64 = 1 << 20;

/// TLS configurations kept, one for each policy. An application has one or two; a component that
/// comes with a new root each time begins anew.
pub(crate) const TLS_CONFIGURATIONS_MAX: usize = 64;

/// An idle connection is asked after this long whether its other end is still there. The kernel's
/// two hours outlast what firewalls between us remember.
pub(crate) const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// Then so often, and so many times. With the above, a silent end is noticed in 90 s.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
pub(crate) const KEEPALIVE_RETRIES: u32 = 3;
