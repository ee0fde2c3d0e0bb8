//! A member of a group: one task that keeps what is its own, reads it, and commits how far it has
//! come. Members share a topic's partitions without anybody who tells them to: each sees how many
//! there are, takes what is free up to its share, and gives back what is more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::lease::{Identity, Lease, READ, Seen};
use super::parts::Part;
use super::tides::Watching;
use super::{Shared, headers};
use crate::database::DatabaseError;
use crate::limits::{
    BEAT_EVERY, LEASE_MAX, OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, READ_BYTES_MAX, READ_RECORDS_MAX,
    READ_RECORDS_MIN, REVOKE_MAX, pause,
};
use crate::log::{Fetch, Incoming, Member, Membership, News, TopicPartition};

/// What the session wants of its member.
enum Wish {
    Commit(Vec<(TopicPartition, i64)>),
    Fetch(Vec<(TopicPartition, Fetch)>),
}

/// The session's end of a membership. Dropped or told to leave, the task ends it.
struct Handle {
    wishes: mpsc::UnboundedSender<Wish>,
    commit_failed: Arc<AtomicBool>,
}

impl Member for Handle {
    fn commit(&self, positions: Vec<(TopicPartition, i64)>) {
        self.wish(Wish::Commit(positions));
    }

    fn commit_failed(&self) -> bool {
        self.commit_failed.swap(false, Ordering::Relaxed)
    }

    fn fetch(&self, changes: Vec<(TopicPartition, Fetch)>) {
        self.wish(Wish::Fetch(changes));
    }

    fn leave(self: Box<Self>) {}
}

impl Handle {
    fn wish(&self, wish: Wish) {
        if self.wishes.send(wish).is_err() {
            tracing::debug!("a wish came after the end of a membership");
        }
    }
}

/// A partition of this member's.
struct Held {
    part: Part,
    lease: Lease,
    /// The next offset to read.
    next: i64,
    is_stopped: bool,
    /// There may be something that nobody told of.
    look: bool,
}

struct Membered {
    shared: Arc<Shared>,
    identity: Identity,
    news: mpsc::Sender<News>,
    wishes: mpsc::UnboundedReceiver<Wish>,
    commit_failed: Arc<AtomicBool>,
    watching: Watching,
    held: BTreeMap<i32, Held>,
    beat_at: Instant,
    /// Until when what is held is held for certain.
    certain_until: Instant,
    failures: u32,
    /// Nothing is read before.
    read_at: Instant,
    records_max: i64,
}

/// Joins a group, in time.
pub(super) fn join(
    shared: Arc<Shared>,
    membership: Membership,
    news: mpsc::Sender<News>,
) -> impl Member {
    let (wishes, wanted) = mpsc::unbounded_channel();
    let commit_failed = Arc::new(AtomicBool::new(false));
    let watching = shared.tides.watch();
    let now = Instant::now();
    let member = Membered {
        shared,
        identity: Identity { id: Uuid::new_v4(), membership },
        news,
        wishes: wanted,
        commit_failed: commit_failed.clone(),
        watching,
        held: BTreeMap::new(),
        beat_at: now,
        certain_until: now,
        failures: 0,
        read_at: now,
        records_max: READ_RECORDS_MIN,
    };
    tokio::spawn(member.run());
    Handle { wishes, commit_failed }
}

impl Membered {
    async fn run(mut self) {
        loop {
            let now = Instant::now();
            if self.beat_at <= now || self.certain_until <= now {
                self.beat().await;
            }
            let more = self.read().await;
            let certain = self.certain_until > Instant::now();
            tokio::select! {
                biased;
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Commit(positions)) => self.commit(positions).await,
                    Some(Wish::Fetch(changes)) => self.fetch(changes),
                    None => return self.leave().await,
                },
                () = std::future::ready(()), if more => {}
                () = sleep_until(self.beat_at) => {}
                () = sleep_until(self.read_at), if self.read_at > Instant::now() => {}
                others = self.watching.next(), if certain => if others {
                    self.held.values_mut().for_each(|held| held.look = true);
                },
            }
        }
    }

    /// Whoever listened has ended; there is nobody to tell, and the next wish is to leave.
    async fn tell(&self, news: News) {
        if self.news.send(news).await.is_err() {
            tracing::debug!("a member's news came after the end of its session");
        }
    }

    /// The database does not do what it is asked to do: everything waits, longer each time.
    fn failed(&mut self, error: &DatabaseError) {
        self.shared.health.failed(&error.0);
        let wait = pause(self.failures, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX);
        self.failures += 1;
        self.read_at = Instant::now() + wait;
    }

    /// Says that it is there, and sees what is its own now and what should be.
    async fn beat(&mut self) {
        let begun = Instant::now();
        match self.look_around().await {
            Ok(()) => {
                self.shared.health.works();
                self.failures = 0;
                self.certain_until = begun + LEASE_MAX;
                self.beat_at = begun + BEAT_EVERY;
            }
            Err(error) => {
                self.failed(&error);
                self.beat_at = self.read_at;
                // What is not certain is not read, and looked at again at the next beat.
                if self.certain_until <= Instant::now() {
                    self.certain_until = self.beat_at;
                    self.read_at = self.beat_at;
                }
            }
        }
    }

    async fn look_around(&mut self) -> Result<(), DatabaseError> {
        let shared = self.shared.clone();
        let store = &shared.reading;
        self.identity.beat(store).await?;
        let mut seen = self.identity.look(store).await?;
        if seen.parts.iter().any(|seen| seen.is_new) {
            self.identity.make(store).await?;
            seen = self.identity.look(store).await?;
        }
        shared.tides.are_others(seen.others);
        self.drop_lost(&seen).await;
        let share = seen.parts.len().div_ceil(seen.members);
        let surplus = self.held.len().saturating_sub(share);
        if surplus > 0 {
            let parts: Vec<i32> = self.held.keys().rev().take(surplus).copied().collect();
            self.revoke(parts).await;
        }
        let missing = share.saturating_sub(self.held.len());
        let free: Vec<i32> =
            seen.parts.iter().filter(|seen| seen.is_free).map(|seen| seen.part.id).collect();
        if missing > 0 && !free.is_empty() {
            let taken = self.identity.take(store, &free, missing).await?;
            self.hold(seen, &taken).await;
        }
        Ok(())
    }

    /// What is not this member's any more went to another, who took it for gone. Where the others
    /// end is known from the look.
    async fn drop_lost(&mut self, seen: &Seen) {
        let own: BTreeMap<i32, (Option<i64>, i64)> =
            seen.parts.iter().map(|seen| (seen.part.id, (seen.own, seen.end))).collect();
        let mut lost = Vec::new();
        self.held.retain(|id, held| {
            let (epoch, end) = own.get(id).copied().unwrap_or_default();
            held.look |= end > held.next;
            let is_own = epoch == Some(held.lease.epoch);
            if !is_own {
                lost.push(place(&held.part));
            }
            is_own
        });
        if !lost.is_empty() {
            self.tell(News::Lost(lost)).await;
        }
    }

    async fn hold(&mut self, seen: Seen, taken: &BTreeMap<i32, Lease>) {
        let mut came = Vec::new();
        for seen in seen.parts {
            let Some(lease) = taken.get(&seen.part.id).copied() else { continue };
            came.push(place(&seen.part));
            let (id, next) = (seen.part.id, lease.position);
            let held = Held { part: seen.part, lease, next, is_stopped: false, look: true };
            self.held.insert(id, held);
        }
        if !came.is_empty() {
            self.tell(News::Assigned(came)).await;
        }
    }

    /// Has the session end what it does with partitions, commits what it came to, and gives them
    /// back. What fails of that is found out by whoever takes them, after a while.
    async fn revoke(&mut self, parts: Vec<i32>) {
        let places: Vec<TopicPartition> =
            parts.iter().filter_map(|id| self.held.get(id)).map(|held| place(&held.part)).collect();
        if places.is_empty() {
            return;
        }
        let (sender, answer) = oneshot::channel();
        // The other end has given up waiting when it is not there.
        let farewell = Box::new(move |positions| drop(sender.send(positions)));
        self.tell(News::Revoked(places, farewell)).await;
        // Twice as long as the session takes at most.
        if let Ok(Ok(positions)) = timeout(REVOKE_MAX * 2, answer).await {
            self.commit(positions).await;
        }
        parts.iter().for_each(|part| drop(self.held.remove(part)));
        if let Err(error) = self.identity.give_back(&self.shared.reading, &parts).await {
            self.failed(&error);
        }
    }

    async fn leave(mut self) {
        self.revoke(self.held.keys().copied().collect()).await;
        if let Err(error) = self.identity.end(&self.shared.reading).await {
            tracing::debug!(reason = error.0, "a member did not sign off");
        }
        self.tell(News::Ended(None)).await;
    }

    async fn commit(&mut self, positions: Vec<(TopicPartition, i64)>) {
        let mut leases = Vec::new();
        for (at, position) in positions {
            let held = self.held.values_mut().find(|held| place(&held.part) == at);
            // Less than before was said before the partition was lost and came again.
            if let Some(held) = held.filter(|held| held.lease.position <= position) {
                held.lease.position = position;
                leases.push((held.part.id, held.lease));
            }
        }
        if leases.is_empty() {
            return;
        }
        match self.identity.commit(&self.shared.reading, &leases).await {
            // One of them is another's: the next look says which.
            Ok(count) if count < leases.len() => self.beat_at = Instant::now(),
            Ok(_) => self.shared.health.works(),
            Err(error) => {
                self.commit_failed.store(true, Ordering::Relaxed);
                self.failed(&error);
            }
        }
    }

    fn fetch(&mut self, changes: Vec<(TopicPartition, Fetch)>) {
        for (at, fetch) in changes {
            let held = self.held.values_mut().find(|held| place(&held.part) == at);
            let Some(held) = held else { continue };
            held.is_stopped = fetch == Fetch::Stop;
            held.look |= !held.is_stopped;
        }
    }

    /// Reads what there is; says whether there may be more.
    async fn read(&mut self) -> bool {
        let now = Instant::now();
        if self.read_at > now || self.certain_until <= now {
            return false;
        }
        let tides = &self.shared.tides;
        let wanted = self.held.values_mut().filter(|held| {
            !held.is_stopped && (held.look || tides.is_beyond(held.part.id, held.next))
        });
        let (ids, starts): (Vec<i32>, Vec<i64>) = wanted
            .map(|held| {
                held.look = false;
                (held.part.id, held.next)
            })
            .unzip();
        if ids.is_empty() {
            return false;
        }
        match self.fetched(&ids, &starts).await {
            Ok(records) => self.arrived(records).await,
            Err(error) => {
                self.held.values_mut().for_each(|held| held.look = true);
                self.failed(&error);
                false
            }
        }
    }

    async fn fetched(
        &self,
        ids: &[i32],
        starts: &[i64],
    ) -> Result<Vec<(i32, Incoming)>, DatabaseError> {
        let values: [&(dyn ToSql + Sync); 3] = [&ids, &starts, &self.records_max];
        let rows = self.shared.reading.query(READ, &values).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: i32 = row.try_get(0)?;
            let Some(held) = self.held.get(&id) else { continue };
            records.push((id, incoming(row, &held.part)?));
        }
        Ok(records)
    }

    async fn arrived(&mut self, records: Vec<(i32, Incoming)>) -> bool {
        let mut counts: BTreeMap<i32, i64> = BTreeMap::new();
        let mut bytes = 0;
        for (id, record) in &records {
            bytes += record.bytes();
            *counts.entry(*id).or_default() += 1;
            if let Some(held) = self.held.get_mut(id) {
                held.next = record.offset + 1;
            }
        }
        let mut more = false;
        for (id, count) in counts {
            if let Some(held) = self.held.get_mut(&id).filter(|_| count >= self.records_max) {
                held.look = true;
                more = true;
            }
        }
        self.records_max = match bytes > READ_BYTES_MAX {
            true => (self.records_max / 2).max(READ_RECORDS_MIN),
            false => (self.records_max * 2).min(READ_RECORDS_MAX),
        };
        if !records.is_empty() {
            let records = records.into_iter().map(|(_, record)| record).collect();
            self.tell(News::Records(records)).await;
        }
        more
    }
}

fn place(part: &Part) -> TopicPartition {
    (part.topic.clone(), part.number)
}

/// A row of [`super::lease::READ`] as a record.
pub(super) fn incoming(
    row: &tokio_postgres::Row,
    part: &Part,
) -> Result<Incoming, tokio_postgres::Error> {
    Ok(Incoming {
        topic: part.topic.clone(),
        partition: part.number,
        offset: row.try_get(1)?,
        key: row.try_get(2)?,
        value: row.try_get(3)?,
        headers: headers::read(row.try_get(4)?),
        timestamp_ms: row.try_get(5)?,
    })
}
