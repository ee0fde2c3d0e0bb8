//! A member of a group of the log in memory: it says that it is there, takes its share of what is
//! free, gives back what is more, reads, and commits for what is still its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::ready;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use ward_events::limits::{BEAT_EVERY, LEASE_MAX, REVOKE_MAX};
use ward_events::{Fetch, Member, News, TopicPartition};

use super::{Lease, MemoryLog, Mistake, State};

/// What a member has to do.
pub(super) enum Task {
    Commit(Vec<(TopicPartition, i64)>),
    Fetch(Vec<(TopicPartition, Fetch)>),
    Leave,
    Beat,
    Read,
}

/// The session's end of a membership. Dropped or told to leave, it ends.
pub(super) struct Handle {
    pub(super) wishes: mpsc::UnboundedSender<Task>,
    pub(super) commit_failed: Arc<AtomicBool>,
}

impl Member for Handle {
    fn commit(&self, positions: Vec<(TopicPartition, i64)>) {
        // Nobody listens after the end.
        drop(self.wishes.send(Task::Commit(positions)));
    }

    fn commit_failed(&self) -> bool {
        self.commit_failed.swap(false, Ordering::Relaxed)
    }

    fn fetch(&self, changes: Vec<(TopicPartition, Fetch)>) {
        drop(self.wishes.send(Task::Fetch(changes)));
    }

    fn leave(self: Box<Self>) {}
}

/// A partition of a member's.
pub(super) struct Held {
    epoch: u64,
    next: i64,
    is_stopped: bool,
}

/// The log's end of a membership.
pub(super) struct Joined {
    pub(super) id: usize,
    pub(super) log: MemoryLog,
    pub(super) group: String,
    pub(super) news: mpsc::Sender<News>,
    pub(super) failed: Arc<AtomicBool>,
    pub(super) held: BTreeMap<TopicPartition, Held>,
}

impl Joined {
    pub(super) async fn run(
        mut self,
        mut wishes: mpsc::UnboundedReceiver<Task>,
        appended: Arc<Notify>,
    ) {
        let mut beats = interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let task = tokio::select! {
                biased;
                wish = wishes.recv() => wish.unwrap_or(Task::Leave),
                _ = beats.tick() => Task::Beat,
                () = ready(()), if self.has_more() => Task::Read,
                () = appended.notified() => continue,
            };
            self.log.awake().await;
            match task {
                Task::Commit(positions) => self.commit(positions).await,
                Task::Fetch(changes) => self.fetch(changes),
                Task::Leave => return self.leave().await,
                Task::Beat => self.beat().await,
                Task::Read => self.read().await,
            }
        }
    }

    async fn tell(&self, news: News) {
        // What the member hears is late, and never lost.
        drop(self.log.passage().await);
        self.log.awake().await;
        drop(self.news.send(news).await);
    }

    /// A partition's lease, if it is still this member's.
    fn own<'s>(&self, state: &'s mut State, place: &TopicPartition) -> Option<&'s mut Lease> {
        let epoch = self.held.get(place)?.epoch;
        let lease = state.group(&self.group).leases.get_mut(place)?;
        (lease.member == Some(self.id) && lease.epoch == epoch).then_some(lease)
    }

    /// Says that it is there, and sees what is its own and what should be.
    async fn beat(&mut self) {
        let (lost, share) = {
            let mut state = self.log.lock();
            let group = state.group(&self.group);
            group.deadlines.insert(self.id, Instant::now() + LEASE_MAX);
            let share = group.share();
            let mut lost: Vec<TopicPartition> = self.held.keys().cloned().collect();
            lost.retain(|place| self.own(&mut state, place).is_none());
            (lost, share)
        };
        if !lost.is_empty() {
            self.held.retain(|place, _| !lost.contains(place));
            self.tell(News::Lost(lost)).await;
        }
        let surplus = self.held.len().saturating_sub(share);
        self.revoke(self.held.keys().rev().take(surplus).cloned().collect()).await;
        let taken = self.log.lock().group(&self.group).take(self.id);
        let places: Vec<TopicPartition> = taken.keys().cloned().collect();
        self.held.extend(taken.into_iter().map(|(place, lease)| {
            (place, Held { epoch: lease.epoch, next: lease.position, is_stopped: false })
        }));
        if !places.is_empty() {
            self.tell(News::Assigned(places)).await;
        }
    }

    /// Has the session end what it does with partitions, commits what it came to, and gives them
    /// back.
    async fn revoke(&mut self, places: Vec<TopicPartition>) {
        if places.is_empty() {
            return;
        }
        let (sender, answer) = oneshot::channel();
        let farewell = Box::new(move |positions| drop(sender.send(positions)));
        self.tell(News::Revoked(places.clone(), farewell)).await;
        // Twice as long as the session takes at most.
        if let Ok(Ok(positions)) = timeout(REVOKE_MAX * 2, answer).await {
            self.log.awake().await;
            self.commit(positions).await;
        }
        for place in places {
            if let Some(lease) = self.own(&mut self.log.lock(), &place) {
                lease.member = None;
            }
            self.held.remove(&place);
        }
    }

    async fn leave(mut self) {
        self.revoke(self.held.keys().cloned().collect()).await;
        self.log.lock().group(&self.group).deadlines.remove(&self.id);
        self.tell(News::Ended(None)).await;
    }

    async fn commit(&self, positions: Vec<(TopicPartition, i64)>) {
        if self.log.passage().await.is_err() {
            return self.failed.store(true, Ordering::Relaxed);
        }
        let mut state = self.log.lock();
        for (place, position) in positions {
            let lease = match self.log.has(Mistake::LetsAnybodyCommit) {
                true => state.group(&self.group).leases.get_mut(&place),
                // Less than there is was said before the partition was lost and came again.
                false => self.own(&mut state, &place).filter(|lease| lease.position <= position),
            };
            if let Some(lease) = lease {
                lease.position = position;
                self.log.surroundings.committed(&place, position);
            }
        }
    }

    fn fetch(&mut self, changes: Vec<(TopicPartition, Fetch)>) {
        for (place, fetch) in changes {
            if let Some(held) = self.held.get_mut(&place) {
                held.is_stopped = fetch == Fetch::Stop;
            }
        }
    }

    fn has_more(&self) -> bool {
        let state = self.log.lock();
        let end = |place| i64::try_from(state.records[place].len()).unwrap();
        self.held.iter().any(|(place, held)| !held.is_stopped && held.next < end(place))
    }

    async fn read(&mut self) {
        let mut records = Vec::new();
        for (place, held) in self.held.iter_mut().filter(|(_, held)| !held.is_stopped) {
            records.extend(self.log.lock().chunk(place, &mut held.next));
        }
        self.tell(News::Records(records)).await;
        if self.log.has(Mistake::CommitsTooEarly) {
            let read = self.held.iter().map(|(place, held)| (place.clone(), held.next));
            self.commit(read.collect()).await;
        }
    }
}
