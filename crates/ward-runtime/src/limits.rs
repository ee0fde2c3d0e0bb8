//! The bounds on what one instance may take, in one place. The numbers are ceilings of the engine;
//! a component's own limits are lower and come from its settings in the manifest.

use std::time::Duration;

/// Instances alive at once. Spin's ceiling too; far above what two cores can keep busy, and what
/// bounds it first is memory (`guest_memory`): 1000 idle instances of a 2 MiB guest are 2 GiB.
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

/// What an instance's memories may have grown by and the instance still be kept for another
/// request: a memory never shrinks, so what one large request took would stay with a warm instance.
/// Requests of services take some MiB. Past this, the pages that were touched (8192, at a quarter
/// of a microsecond each) have cost far more than the new instance that comes in its place.
pub(crate) const INSTANCE_GROWTH_KEPT_MAX: usize = 32 << 20;

/// How long what needs memory waits for some to be given back. An instance is gone some
/// milliseconds after its last answer, or after it was let go; on a busy machine it is tens of
/// turns of 10 ms.
pub(crate) const GUEST_MEMORY_WAIT: Duration = Duration::from_millis(500);

/// The memory of a machine that does not say what it has: of a small one.
pub(crate) const MEMORY_UNKNOWN_BYTES: u64 = 4 << 30;

/// Address space of a memory where there is too little to reserve 4 GiB for each: what a service
/// starts with and some requests take. One that grows past it moves, and has as much again.
pub(crate) const SMALL_RESERVATION_BYTES: u32 = 4 << 20;

/// Address space after such a memory, which saves some bounds checks: a wasm page.
pub(crate) const SMALL_GUARD_BYTES: u32 = 64 << 10;

/// Stack of a guest, in bytes. Endless recursion ends here with a trap.
pub(crate) const GUEST_STACK_BYTES_MAX: usize = 512 * 1024;

/// Between two looks at guests that compute: how long one computes before it has to wait for its
/// turn, and how late an endless loop is noticed. Most requests need less than a millisecond.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// The same while nothing has begun for a second: how late the first loop after that is noticed.
pub(crate) const TICK_QUIET: Duration = Duration::from_millis(100);

/// Live links one behind the other, as in a → b → c, which is two. Each holds an instance of its
/// component while it waits; services that call each other further down than this are a mesh, and
/// nobody could say any more what a request costs.
pub(crate) const LINK_DEPTH_MAX: usize = 8;

/// Calls at once into one component, over links and from triggers other than HTTP, where its
/// settings say nothing. Each has an instance of its own, out of [`INSTANCES_MAX`]: several
/// components may be busy at the same time.
pub(crate) const CALLS_PER_COMPONENT_MAX: u32 = 128;

/// What waits to be let into one component: as many as HTTP requests are taken at once. What comes
/// on top is told to come back.
pub(crate) const ADMISSION_WAITING_MAX: usize = 1024;

/// How long one waits to be let in: as long as for a place among a server's requests. Whoever was
/// not let in by then is better told so than left without an answer.
pub(crate) const ADMISSION_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long work counts at least that was abandoned: ten times what a login takes. Without it 100
/// sockets that were closed as soon as they had sent one began several hundred a second; with
/// 100 ms the logins of one address that took all of them back kept half a processor busy.
pub(crate) const ADMISSION_ABANDONED_MIN: Duration = Duration::from_millis(250);

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
