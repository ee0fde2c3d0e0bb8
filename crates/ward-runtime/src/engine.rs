//! The one wasmtime engine of the process and the thread that drives its epochs.
//! It must not know about components or requests.

use std::sync::Arc;
use std::thread;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::limits;
use crate::scheduler::Scheduler;

/// An engine, and what it costs.
pub(crate) struct Made {
    pub(crate) engine: Engine,
    /// What each memory takes of what is scarce beside its own bytes.
    pub(crate) beside_memory_bytes: usize,
}

/// Makes the engine and starts its epoch thread, which ends when the engine is dropped.
pub(crate) fn engine(scheduler: Arc<Scheduler>) -> wasmtime::Result<Made> {
    let made = match Engine::new(config().allocation_strategy(pool())) {
        Ok(engine) => Made { engine, beside_memory_bytes: 0 },
        Err(error) => {
            let cause = error.root_cause().to_string();
            tracing::warn!(
                cause,
                "the address space for all instances cannot be reserved (`ulimit -v`?): each is \
                 given its own as it comes, and components are slower for it"
            );
            sparing()?
        }
    };
    tick(&made.engine, scheduler)?;
    Ok(made)
}

/// Why the address space for all instances cannot be reserved here, if it cannot.
#[must_use]
pub fn address_space() -> Option<String> {
    let made = Engine::new(config().allocation_strategy(pool()));
    made.err().map(|error| error.root_cause().to_string())
}

/// What holds however memory is come by.
fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(limits::GUEST_STACK_BYTES_MAX);
    config
}

/// For little address space: nothing is reserved at start, and memories move when they grow. A
/// reservation and the stack that goes with it are counted as memory, which `guest_memory` bounds:
/// there is no number of slots here that would.
fn sparing() -> wasmtime::Result<Made> {
    let (reserved, guard) = (limits::SMALL_RESERVATION_BYTES, limits::SMALL_GUARD_BYTES);
    let mut config = config();
    config
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .memory_reservation(reserved.into())
        .memory_reservation_for_growth(reserved.into())
        .memory_guard_size(guard.into())
        .guard_before_linear_memory(false);
    let beside_memory_bytes = usize::try_from(reserved + guard)? + STACK_BYTES;
    config.async_stack_size(STACK_BYTES);
    Ok(Made { engine: Engine::new(&config)?, beside_memory_bytes })
}

/// A guest's stack and the host's on it: wasmtime's own default, said where it is counted.
const STACK_BYTES: usize = 2 << 20;

/// A slot for every instance is reserved at start, so that instantiation maps no memory.
/// Address space is reserved at 4 GiB a memory, which removes bounds checks from guest code;
/// only what guests touch becomes resident.
///
/// None of a memory stays resident from one instance to the next. What could is its beginning,
/// which is the far end of the stack in guests of today: zeroing it costs more than all else, for
/// pages that nobody wrote. Nor is the kernel asked which pages were written (`pagemap_scan`):
/// wasmtime 48 leaves those as they are which are just not present, because they were swapped out
/// or are being moved, for the next instance to read (wasmtime's pull request 14357).
fn pool() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits::INSTANCES_MAX)
        .total_stacks(limits::INSTANCES_MAX)
        .total_core_instances(limits::INSTANCES_MAX * 8)
        .total_memories(limits::INSTANCES_MAX * 2)
        .total_tables(limits::INSTANCES_MAX * 4)
        .total_gc_heaps(0)
        .max_core_instances_per_component(limits::CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_memories_per_component(limits::MEMORIES_PER_COMPONENT_MAX)
        .max_tables_per_component(limits::TABLES_PER_COMPONENT_MAX)
        .table_elements(limits::TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(limits::WARM_SLOTS_MAX)
        .table_keep_resident(limits::TABLE_KEPT_RESIDENT_BYTES);
    InstanceAllocationStrategy::Pooling(pool)
}

/// A thread of its own: a tokio timer would stand still when every worker is inside a guest,
/// which is just when the epoch must move.
fn tick(engine: &Engine, scheduler: Arc<Scheduler>) -> wasmtime::Result<()> {
    let weak = engine.weak();
    thread::Builder::new().name("ward-epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            let pause = scheduler.tick(|| engine.increment_epoch());
            drop(engine);
            thread::sleep(pause);
        }
    })?;
    Ok(())
}
