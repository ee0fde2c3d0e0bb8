//! A relay: the real queue, and between it, the outbox and the log what a session does.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::outbox::{Outbox, lane};
use super::{Bug, Event, STEP_MAX_MS, TOPIC, World, is_readable};
use crate::limits::LEASE_MAX;
use crate::log::{Log, Outgoing};
use crate::relay::{Lane, Queue, Row};
use crate::tests::memory::MemoryLog;

pub(super) struct Relay {
    world: Arc<World>,
    log: MemoryLog,
    name: usize,
    queue: Queue<Event>,
    certain_until: Instant,
    leaving: BTreeSet<Lane>,
}

impl Relay {
    pub(super) fn new(world: Arc<World>, log: MemoryLog) -> Relay {
        let name = world.outbox.lock().unwrap().enter();
        Relay {
            name,
            world,
            log,
            queue: Queue::default(),
            certain_until: Instant::now(),
            leaving: BTreeSet::new(),
        }
    }

    /// Does something again and again, until it is stopped with whatever is on its way.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        let (replies, mut answers) = mpsc::unbounded_channel();
        while !*stop.borrow() {
            sleep(Duration::from_millis(self.world.below(STEP_MAX_MS))).await;
            self.log.awake().await;
            match self.world.below(5) {
                0 => self.beat(),
                1 => self.fetch(),
                2 => self.send(&replies),
                3 => {
                    while let Ok((seq, arrived)) = answers.try_recv() {
                        match arrived {
                            true => self.queue.acknowledged(seq),
                            false => self.queue.failed(seq),
                        }
                    }
                }
                _ => self.mark(),
            }
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.world.outbox.lock().unwrap()
    }

    fn beat(&mut self) {
        let (own, share) = self.outbox().take(self.name);
        self.certain_until = Instant::now() + LEASE_MAX;
        let held = self.queue.lanes().clone();
        held.difference(&own).for_each(|lane| self.queue.let_go(*lane));
        self.leaving.retain(|lane| own.contains(lane));
        let came = own.difference(&held).filter(|lane| !self.leaving.contains(lane));
        came.for_each(|lane| self.queue.hold(*lane));
        let surplus = self.queue.lanes().len().saturating_sub(share);
        let surplus: Vec<Lane> = self.queue.lanes().iter().rev().take(surplus).copied().collect();
        for lane in surplus {
            self.queue.let_go(lane);
            self.leaving.insert(lane);
        }
        let free: Vec<Lane> =
            self.leaving.iter().copied().filter(|lane| !self.queue.has(*lane)).collect();
        for lane in free {
            self.leaving.remove(&lane);
            self.outbox().give_back(self.name, lane);
        }
    }

    fn fetch(&mut self) {
        let rows = self.outbox().fetch(self.queue.lanes(), &self.queue.known());
        let row = |(seq, event): (i64, Event)| Row {
            seq,
            id: Uuid::from_u128(u128::from(seq.unsigned_abs())),
            aggregate: Uuid::from_u128(event.0.into()),
            lane: lane(event),
            payload: Ok(event),
        };
        self.queue.insert(rows.into_iter().map(row));
    }

    fn send(&mut self, replies: &mpsc::UnboundedSender<(i64, bool)>) {
        if Instant::now() >= self.certain_until {
            return;
        }
        while let Some((seq, (aggregate, version))) = self.queue.send() {
            // Field 6 of an event, or nothing that could be one.
            let value = if is_readable(*version) { vec![0x30, *version] } else { vec![0xff] };
            let key = Some(aggregate.to_string().into_bytes());
            let record = Outgoing { key, value: Some(value), headers: Vec::new() };
            let replies = replies.clone();
            let reply = Box::new(move |result: Result<_, _>| {
                // Nobody listens after the end.
                let _ = replies.send((seq, result.is_ok()));
            });
            self.log.append(TOPIC, &record, reply).unwrap();
            match self.world.bug {
                Some(Bug::MarkedTooEarly) => self.outbox().mark(&[seq]),
                // As if it had been acknowledged: the next of its aggregate may go.
                Some(Bug::OrderForgotten) => self.queue.acknowledged(seq),
                _ => {}
            }
        }
    }

    fn mark(&mut self) {
        let acknowledged = self.queue.to_mark(usize::MAX);
        // In an order of its own, because the queue's is one of chance.
        let rows: BTreeSet<i64> = acknowledged.into_iter().map(|(seq, _)| seq).collect();
        let rows: Vec<i64> = rows.into_iter().take(3).collect();
        self.outbox().mark(&rows);
        self.queue.marked(&rows);
    }
}
