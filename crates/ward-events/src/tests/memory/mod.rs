//! A log in memory, for tests: leases, epochs and positions as the embedded log has them, on
//! tokio's clock, so that with it paused time is simulated. It draws no number itself and wakes
//! nobody in an order of chance: with the same surroundings a run is the same again. A client of it
//! stands for a process, which may stand still or die; what is on its way then arrives all the
//! same.

mod member;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::{BoxFuture, pending, ready};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use ward_events::{
    Chunk, ERASED, Ends, Incoming, Log, Membership, News, Outgoing, Reply, SendError, StartAt,
    ToolError, TopicPartition, TopicShape, Trouble, Unmade, View,
};

use member::{Handle, Joined};

/// The most records of a partition at a time.
const CHUNK_MAX: usize = 32;

/// What becomes of messages, and who watches. By itself a log is quick and loses nothing.
pub(crate) trait Surroundings: Send + Sync + 'static {
    /// How long the next message is on its way.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether the next message is lost.
    fn loses(&self) -> bool {
        false
    }

    /// Whether a topic may not be made.
    fn refuses(&self, _: &str) -> bool {
        false
    }

    /// What this log does wrong.
    fn mistake(&self) -> Option<Mistake> {
        None
    }

    /// Something was appended.
    fn appended(&self, _: &Incoming) {}

    /// A group has come so far.
    fn committed(&self, _: &TopicPartition, _: i64) {}
}

/// What would be wrong with a log, or with how it is used. Tests have to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Records of a key go to any partition.
    ForgetsOrder,
    /// A position is committed when records have come, rather than when they are answered for.
    CommitsTooEarly,
    /// A commit counts whoever makes it.
    LetsAnybodyCommit,
}

/// A log in memory, as one process uses it.
#[derive(Clone)]
pub(crate) struct MemoryLog {
    state: Arc<Mutex<State>>,
    surroundings: Arc<dyn Surroundings>,
    /// When the process goes on, if it ever does.
    wakes_at: Arc<Mutex<Option<Instant>>>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<TopicPartition, Vec<Incoming>>,
    groups: BTreeMap<String, Group>,
    /// Told of what is appended, in the order in which they came.
    members: Vec<Arc<Notify>>,
    /// Whose turn it is to have a record without a key.
    turn: usize,
}

#[derive(Default)]
struct Group {
    /// Until when each member is taken to be there.
    deadlines: BTreeMap<usize, Instant>,
    leases: BTreeMap<TopicPartition, Lease>,
}

/// How far a group has come in a partition, and whose it is.
#[derive(Clone, Copy, Default)]
struct Lease {
    position: i64,
    member: Option<usize>,
    /// Rises with each member that gets it.
    epoch: u64,
}

impl State {
    fn partitions(&self, topic: &str) -> impl Iterator<Item = (&TopicPartition, &Vec<Incoming>)> {
        self.records.iter().filter(move |((own, _), _)| **own == *topic)
    }

    /// Some of what comes after a position, which moves.
    fn chunk(&self, place: &TopicPartition, next: &mut i64) -> Vec<Incoming> {
        let records = self.records.get(place).into_iter().flatten();
        let after = records.skip(usize::try_from(*next).unwrap()).take(CHUNK_MAX);
        after.cloned().inspect(|record| *next = record.offset + 1).collect()
    }

    fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.to_owned()).or_default()
    }
}

impl Group {
    fn alive(&self) -> BTreeSet<usize> {
        let now = Instant::now();
        self.deadlines.iter().filter(|(_, until)| **until > now).map(|(id, _)| *id).collect()
    }

    /// How many partitions a member is to have.
    fn share(&self) -> usize {
        self.leases.len().div_ceil(self.alive().len().max(1))
    }

    /// Takes what is free, up to a member's share.
    fn take(&mut self, member: usize) -> BTreeMap<TopicPartition, Lease> {
        let (alive, share) = (self.alive(), self.share());
        let own = self.leases.values().filter(|lease| lease.member == Some(member)).count();
        let is_free =
            |lease: &Lease| lease.member.is_none_or(|own| own != member && !alive.contains(&own));
        let free = self.leases.iter_mut().filter(|(_, lease)| is_free(lease));
        let taken = free.take(share.saturating_sub(own)).map(|(place, lease)| {
            *lease = Lease { member: Some(member), epoch: lease.epoch + 1, ..*lease };
            (place.clone(), *lease)
        });
        taken.collect()
    }
}

impl MemoryLog {
    pub(crate) fn new(surroundings: Arc<dyn Surroundings>) -> MemoryLog {
        MemoryLog { state: Arc::default(), surroundings, wakes_at: Arc::default() }.another()
    }

    /// The same log as another process has it.
    pub(crate) fn another(&self) -> MemoryLog {
        MemoryLog { wakes_at: Arc::new(Mutex::new(Some(Instant::now()))), ..self.clone() }
    }

    /// The process stands still for so long, or for ever where that has no end: nothing reaches it
    /// and nothing leaves it. That its own clocks go on is seen by nobody.
    pub(crate) fn stand_still(&self, pause: Duration) {
        *self.wakes_at.lock().unwrap() = Instant::now().checked_add(pause);
    }

    /// Waits while the process stands still.
    pub(crate) async fn awake(&self) {
        loop {
            let wakes_at = *self.wakes_at.lock().unwrap();
            match wakes_at {
                None => pending().await,
                Some(at) if at > Instant::now() => sleep_until(at).await,
                Some(_) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn has(&self, mistake: Mistake) -> bool {
        self.surroundings.mistake() == Some(mistake)
    }

    /// A message is on its way; whether it arrives.
    async fn passage(&self) -> Result<(), SendError> {
        let delay = self.surroundings.delay();
        if !delay.is_zero() {
            sleep(delay).await;
        }
        match self.surroundings.loses() {
            true => Err(SendError::Later("it was lost".to_owned())),
            false => Ok(()),
        }
    }

    fn store(&self, topic: &str, record: Outgoing) -> Result<(), SendError> {
        let mut state = self.lock();
        state.turn += 1;
        let key = record.key.as_ref().filter(|_| !self.has(Mistake::ForgetsOrder));
        let hash = |key: &Vec<u8>| key.iter().map(|byte| usize::from(*byte)).sum();
        let (chosen, count) = (key.map_or(state.turn, hash), state.partitions(topic).count());
        let chosen = chosen.checked_rem(count).and_then(|at| state.partitions(topic).nth(at));
        let Some(place) = chosen.map(|(place, _)| place.clone()) else {
            return Err(SendError::Later(format!("there is no topic {topic}")));
        };
        let records = state.records.entry(place.clone()).or_default();
        let Outgoing { key, value, headers } = record;
        let (topic, partition) = place;
        let (offset, timestamp_ms) = (i64::try_from(records.len()).unwrap(), None);
        let record = Incoming { topic, partition, offset, key, value, headers, timestamp_ms };
        if record.erases() {
            let told = |one: &&mut Incoming| one.key == record.key && !one.erases();
            for one in records.iter_mut().filter(told) {
                (one.value, one.headers) = (None, vec![(ERASED.to_owned(), None)]);
            }
        }
        self.surroundings.appended(&record);
        records.push(record);
        state.members.iter().for_each(|member| member.notify_one());
        Ok(())
    }
}

impl Log for MemoryLog {
    fn append(&self, topic: &str, record: &Outgoing, reply: Reply) -> Result<(), SendError> {
        let (log, topic, record) = (self.clone(), topic.to_owned(), record.clone());
        tokio::spawn(async move {
            log.awake().await;
            let arrived = log.passage().await.and_then(|()| log.store(&topic, record));
            let answered = log.passage().await;
            log.awake().await;
            reply(arrived.and(answered));
        });
        Ok(())
    }

    fn ensure_topics<'l>(
        &'l self,
        topics: &'l [String],
        shape: TopicShape,
    ) -> BoxFuture<'l, Result<Vec<Unmade>, Trouble>> {
        let (refused, made): (Vec<&String>, Vec<&String>) =
            topics.iter().partition(|topic| self.surroundings.refuses(topic));
        for topic in made {
            let topic: Arc<str> = topic.as_str().into();
            for partition in 0..i32::try_from(shape.partitions).unwrap() {
                self.lock().records.entry((topic.clone(), partition)).or_default();
            }
        }
        let unmade =
            |topic: &String| Unmade { topic: topic.clone(), reason: "not allowed".to_owned() };
        Box::pin(ready(Ok(refused.into_iter().map(unmade).collect())))
    }

    fn join(
        &self,
        membership: &Membership,
        news: mpsc::Sender<News>,
    ) -> Result<Box<dyn ward_events::Member>, String> {
        if self.surroundings.loses() {
            return Err("it was lost".to_owned());
        }
        let (wishes, wanted) = mpsc::unbounded_channel();
        let (commit_failed, appended) = (Arc::<AtomicBool>::default(), Arc::<Notify>::default());
        let mut state = self.lock();
        state.members.push(appended.clone());
        let Membership { group, topics, from } = membership.clone();
        let places = topics.iter().flat_map(|topic| state.partitions(topic));
        let leases: Vec<_> = places
            .map(|(place, records)| {
                let start = if from == StartAt::Latest { records.len() } else { 0 };
                (place.clone(), Lease { position: start.try_into().unwrap(), ..Lease::default() })
            })
            .collect();
        for (place, lease) in leases {
            state.group(&group).leases.entry(place).or_insert(lease);
        }
        let (id, failed) = (state.members.len(), commit_failed.clone());
        let joined = Joined { id, log: self.clone(), group, news, failed, held: BTreeMap::new() };
        tokio::spawn(joined.run(wanted, appended));
        Ok(Box::new(Handle { wishes, commit_failed }))
    }

    fn look<'l>(
        &'l self,
        topic: &'l str,
        group: &'l str,
    ) -> BoxFuture<'l, Result<Box<dyn View>, ToolError>> {
        let end = |records: &Vec<Incoming>| (0, i64::try_from(records.len()).unwrap());
        let state = self.lock();
        let partitions = state.partitions(topic);
        let ends: Ends = partitions.map(|(place, records)| (place.1, end(records))).collect();
        let (log, next, group) = (self.clone(), BTreeMap::new(), group.to_owned());
        let look: Result<Box<dyn View>, _> = match ends.is_empty() {
            true => Err(ToolError::NoTopic(topic.to_owned())),
            false => Ok(Box::new(Look { log, topic: topic.into(), group, ends, next })),
        };
        Box::pin(ready(look))
    }

    fn forgets(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "the log in memory"
    }

    fn is_up(&self) -> bool {
        true
    }

    fn tried(&self, _: Result<(), &Trouble>) {}
}

/// A look at a topic, and whose positions are read or moved.
struct Look {
    log: MemoryLog,
    topic: Arc<str>,
    group: String,
    ends: Ends,
    next: BTreeMap<i32, i64>,
}

impl View for Look {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn begin(&mut self, starts: &BTreeMap<i32, i64>) -> Result<(), ToolError> {
        self.next.clone_from(starts);
        Ok(())
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Chunk, ToolError>> {
        let mut chunk = Chunk::default();
        for (partition, next) in &mut self.next {
            let records = self.log.lock().chunk(&(self.topic.clone(), *partition), next);
            if records.is_empty() {
                chunk.ended.insert(*partition);
            }
            chunk.records.extend(records);
        }
        Box::pin(async {
            if chunk.records.is_empty() {
                sleep(Duration::from_millis(100)).await;
            }
            Ok(chunk)
        })
    }

    fn committed(&mut self) -> BoxFuture<'_, Result<BTreeMap<i32, i64>, ToolError>> {
        let mut state = self.log.lock();
        let own = state.group(&self.group).leases.iter().filter(|(own, _)| own.0 == self.topic);
        let positions = own.map(|(place, lease)| (place.1, lease.position)).collect();
        Box::pin(ready(Ok(positions)))
    }

    fn is_consuming(&mut self) -> BoxFuture<'_, Result<bool, ToolError>> {
        Box::pin(ready(Ok(!self.log.lock().group(&self.group).alive().is_empty())))
    }

    /// The epoch rises, so that a member who was thought to be gone commits nothing.
    fn commit(&mut self, positions: BTreeMap<i32, i64>) -> BoxFuture<'_, Result<(), ToolError>> {
        let mut state = self.log.lock();
        for (partition, position) in positions {
            let place = (self.topic.clone(), partition);
            let lease = state.group(&self.group).leases.entry(place).or_default();
            *lease = Lease { position, member: None, epoch: lease.epoch + 1 };
        }
        Box::pin(ready(Ok(())))
    }
}
