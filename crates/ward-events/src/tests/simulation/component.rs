//! The component behind a trigger: slow, failing now and then, and with an inbox. A batch is
//! applied as a whole, in one transaction, or not at all; and its answer may be lost.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::sleep;
use ward_wire::{Contract, Value};

use super::{Bug, DEAD, Event, GROUP, TOPIC, World, is_rejected};
use crate::log::StartAt;
use crate::tests::memory::{MemoryLog, Surroundings};
use crate::trigger::{CallError, Consume, TriggerOptions};
use crate::wire::EventType;

/// Read once: every run has the same.
static EVENT: LazyLock<EventType> = LazyLock::new(|| {
    let wit = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"));
    let contract = Contract::from_directories(&[wit.join("common"), wit.join("patients")]).unwrap();
    EventType::of_consumer(&contract, "pms:patients/consumer@1.0.0", "consume").unwrap()
});

pub(super) struct Component {
    pub(super) world: Arc<World>,
    pub(super) log: MemoryLog,
}

impl Component {
    /// A trigger that calls it, and gives up nothing that may pass later.
    pub(super) fn options(self) -> TriggerOptions {
        let component = Arc::new(self);
        TriggerOptions {
            id: "t".to_owned(),
            component: "c".to_owned(),
            group: GROUP.to_owned(),
            topics: vec![TOPIC.to_owned()],
            from: StartAt::Earliest,
            batch_records_max: 4,
            batch_wait: Duration::from_millis(20),
            concurrency: 2,
            retries: u32::MAX,
            patience: Duration::MAX,
            dead_letter_of: Box::new(|_| DEAD.to_owned()),
            event: EVENT.clone(),
            consume: Box::new(move || component.clone()),
            stats: Arc::default(),
        }
    }
}

impl Consume for Component {
    fn consume(&self, arguments: Vec<Value>) -> BoxFuture<'static, Result<Value, CallError>> {
        let (world, log) = (self.world.clone(), self.log.clone());
        Box::pin(async move {
            let batch = read(&arguments);
            log.awake().await;
            sleep(world.delay()).await;
            if world.fails(5) {
                // So long that its partition may have been elsewhere and be back.
                sleep(Duration::from_millis(world.below(60_000))).await;
            }
            let result = world.call(&batch);
            sleep(world.delay()).await;
            log.awake().await;
            result
        })
    }

    fn revision(&self) -> String {
        "1".to_owned()
    }
}

/// An event, and the partition and offset it comes from.
type Delivered = (Event, (i32, i64));

fn read(arguments: &[Value]) -> Vec<Delivered> {
    let [Value::List(deliveries)] = arguments else { panic!("{arguments:?}") };
    let delivered = deliveries.iter().map(|delivery| {
        let Value::Record(parts) = delivery else { panic!("{delivery:?}") };
        let [Value::Record(position), Value::Record(event)] = parts.as_slice() else {
            panic!("{delivery:?}")
        };
        let [_, Value::S32(partition), Value::S64(offset), Value::String(key), _] =
            position.as_slice()
        else {
            panic!("{delivery:?}")
        };
        let Value::S64(version) = event[5] else { panic!("{delivery:?}") };
        ((key.parse().unwrap(), u8::try_from(version).unwrap()), (*partition, *offset))
    });
    delivered.collect()
}

impl World {
    /// The component does what it is called for.
    fn call(&self, batch: &[Delivered]) -> Result<Value, CallError> {
        if self.fails(8) {
            let done = || Value::List(batch.iter().map(|_| Value::Variant(0, None)).collect());
            let is_forgotten = self.bug == Some(Bug::FailureForgotten);
            return is_forgotten.then(done).ok_or_else(|| self.failure());
        }
        let mut held = BTreeSet::new();
        let outcomes = batch.iter().map(|(event, at)| {
            // After the first retry of a key there are retries for the rest of it.
            if held.contains(&event.0) || self.fails(5) {
                held.insert(event.0);
                let pause = u32::try_from(self.below(1000)).unwrap();
                return Value::Variant(1, Some(Box::new(Value::U32(pause))));
            }
            if is_rejected(event.1) {
                return Value::Variant(2, Some(Box::new(Value::String("no".to_owned()))));
            }
            self.apply(*event, *at);
            Value::Variant(0, None)
        });
        let outcomes = Value::List(outcomes.collect());
        match self.fails(8) {
            true => Err(self.failure()),
            false => Ok(outcomes),
        }
    }

    fn failure(&self) -> CallError {
        match self.below(2) {
            0 => CallError::Failed("it trapped".to_owned()),
            _ => CallError::Unavailable("it is away".to_owned()),
        }
    }
}
