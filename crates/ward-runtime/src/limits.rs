//! The bounds on what one instance may take, in one place, and the limiter that holds an instance
//! to its memory. The numbers are ceilings of the engine; a component's own limits are lower and
//! come from its settings in the manifest.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Instances alive at once. Spin's ceiling too; far above what two cores can keep busy, and what
/// bounds it first is memory: 1000 idle instances of a 2 MiB guest are 2 GiB.
pub(crate) const INSTANCES_MAX: u32 = 1000;

/// Core instances in one component: a composed guest has about five per part (module, shims).
pub(crate) const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 200;

/// Linear memories in one component: one per composed part.
pub(crate) const MEMORIES_PER_COMPONENT_MAX: u32 = 32;

/// Tables in one component.
pub(crate) const TABLES_PER_COMPONENT_MAX: u32 = 64;

/// Elements in one table: Rust guests have a few thousand functions in theirs.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Bytes of a table that stay resident between instances.
pub(crate) const TABLE_KEPT_RESIDENT_BYTES: usize = 16 * 1024;

/// Idle slots that stay as their last instance's component wants them, so that its next one maps
/// nothing anew.
pub(crate) const WARM_SLOTS_MAX: u32 = 32;

/// Stack of a guest, in bytes. Endless recursion ends here with a trap.
pub(crate) const GUEST_STACK_BYTES_MAX: usize = 512 * 1024;

/// Milliseconds between two looks at a running guest: how late an endless loop is noticed.
pub(crate) const EPOCH_TICK_MS: u64 = 10;

/// Live links one behind the other, as in a → b → c, which is two. Each holds an instance of its
/// component while it waits; services that call each other further down than this are a mesh, and
/// nobody could say any more what a request costs.
pub(crate) const LINK_DEPTH_MAX: usize = 8;

/// Calls at once into one component, over links and from triggers other than HTTP. Each has an
/// instance of its own, out of [`INSTANCES_MAX`]: several components may be busy at the same time.
pub(crate) const CALLS_PER_COMPONENT_MAX: usize = 128;

/// Calls that wait for one of those to end. As many as HTTP requests are taken at once; what comes
/// on top is told to come back.
pub(crate) const CALLS_WAITING_MAX: usize = 1024;

/// How long opening a database connection takes in all: waiting for one that comes free, and making
/// one. Requests have 30 s; a third of it leaves time to answer with an error that tells why.
pub(crate) const POSTGRES_OPEN_MAX: Duration = Duration::from_secs(10);

/// Idle database connections older than this are closed, so that a burst does not keep its
/// connections for ever.
pub(crate) const POSTGRES_IDLE_MAX: Duration = Duration::from_secs(300);

/// Between two looks for those: a tenth of their time is early enough.
pub(crate) const POSTGRES_SWEEP: Duration = Duration::from_secs(30);

/// Connections to a database server that will not tell its limit.
pub(crate) const POSTGRES_CONNECTIONS_UNKNOWN: usize = 16;

/// More connections than this make no database server faster, and each costs it memory.
pub(crate) const POSTGRES_CONNECTIONS_MAX: usize = 64;

/// Connections left to migrations, the outbox relay and people with psql.
pub(crate) const POSTGRES_OTHERS: usize = 8;

/// Into how many parts a server's share goes: as many services as an application has, so that
/// together they do not need what others have idle.
pub(crate) const POSTGRES_PARTS: usize = 4;

/// Database addresses that are remembered as they were read. A component has one or two; one that
/// makes up new ones has each read anew.
pub(crate) const POSTGRES_ADDRESSES_MAX: usize = 256;

/// Holds one store to its component's memory limit, summed over all its linear memories.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    used_bytes: usize,
    max_bytes: usize,
}

impl MemoryLimiter {
    /// A limiter that allows `max_bytes` in all.
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self { used_bytes: 0, max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX) }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used_bytes = self.used_bytes.saturating_add(desired.saturating_sub(current));
        let allowed = used_bytes <= self.max_bytes;
        if allowed {
            self.used_bytes = used_bytes;
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_over_all_memories_and_refused_past_the_limit() {
        let mut limiter = MemoryLimiter::new(3 << 16);
        assert!(limiter.memory_growing(0, 1 << 16, None).unwrap());
        assert!(limiter.memory_growing(0, 2 << 16, None).unwrap());
        assert!(!limiter.memory_growing(1 << 16, (1 << 16) + 1, None).unwrap());
        assert_eq!(limiter.used_bytes, 3 << 16);
    }

    #[test]
    fn tables_are_bounded() {
        let mut limiter = MemoryLimiter::new(0);
        assert!(limiter.table_growing(0, TABLE_ELEMENTS_MAX, None).unwrap());
        assert!(!limiter.table_growing(0, TABLE_ELEMENTS_MAX + 1, None).unwrap());
    }
}
