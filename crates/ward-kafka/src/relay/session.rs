//! The relay of one service at work: takes its share of the lanes, fetches rows, hands them to the
//! producer, and marks what the broker has. One task, which never waits for one thing while it
//! could do another; what may be sent when is `queue`'s to say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::event::Mapping;
use super::queue::{Lane, Queue, Row};
use super::table::{DatabaseError, Fetched, LANES, Table, Wanted};
use crate::limits::{
    OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, RELAY_BATCH_ROWS_MAX, RELAY_DRAIN_MAX, RELAY_HOLD,
    RELAY_HOUSEKEEPING, RELAY_PACE_ANSWERS, RELAY_PACE_MAX, RELAY_PACE_MIN, RELAY_POLL,
    RELAY_REMOVE_ROWS_MAX, RELAY_TOGETHER, pause, reason,
};
use crate::producer::{Outgoing, Producer, SendError};
use crate::stats::RelayStats;

/// How many answers are taken in at once.
const ANSWERS_MAX: usize = 1024;

/// What became of a row that was handed to the producer.
type Answer = (i64, Result<(), SendError>);

/// What outlives a connection: rows on their way, and how the broker is doing.
pub(super) struct Relay {
    pub(super) name: String,
    pub(super) topic: String,
    pub(super) mapping: Mapping,
    pub(super) keep_published: Duration,
    pub(super) producer: Producer,
    pub(super) stats: Arc<RelayStats>,
    queue: Queue<Outgoing>,
    replies: mpsc::UnboundedSender<Answer>,
    answers: mpsc::UnboundedReceiver<Answer>,
    /// Failures since the last success.
    failures: u32,
    /// Nothing is sent before.
    resume_at: Instant,
    /// When rows were last sent, and how long the broker took for its last answer.
    sent_at: Instant,
    answer_took: Duration,
}

/// What a statement came to.
enum Done {
    Fetched(Fetched),
    Marked(Vec<i64>),
    SetAside(i64),
    KeptHouse { share: usize, taken: BTreeSet<Lane>, removed: u64 },
    GaveBack(Lane),
}

type Statement = BoxFuture<'static, Result<Done, DatabaseError>>;

/// One connection's worth of relaying.
struct Session<'r> {
    relay: &'r mut Relay,
    table: Table,
    running: FuturesUnordered<Statement>,
    fetching: bool,
    marking: bool,
    setting_aside: bool,
    housekeeping: bool,
    /// There is more to be removed.
    untidy: bool,
    /// Something may be there that was not fetched.
    wanted: bool,
    /// It is not fetched before.
    fetch_at: Instant,
    /// The last fetch left out aggregates that had enough rows here.
    crowded: bool,
    /// Lanes that are given back once nothing of theirs is on its way.
    leaving: BTreeSet<Lane>,
    stopping: bool,
}

impl Relay {
    pub(super) fn new(
        (name, topic): (String, String),
        mapping: Mapping,
        keep_published: Duration,
        producer: Producer,
        stats: Arc<RelayStats>,
    ) -> Relay {
        let (replies, answers) = mpsc::unbounded_channel();
        Relay {
            name,
            topic,
            mapping,
            keep_published,
            producer,
            stats,
            queue: Queue::default(),
            replies,
            answers,
            failures: 0,
            resume_at: Instant::now(),
            sent_at: Instant::now(),
            answer_took: Duration::ZERO,
        }
    }

    /// Relays until the connection fails or a stop is asked for.
    pub(super) async fn session(
        &mut self,
        table: Table,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), DatabaseError> {
        let session = Session {
            relay: self,
            table,
            running: FuturesUnordered::new(),
            fetching: false,
            marking: false,
            setting_aside: false,
            housekeeping: false,
            untidy: false,
            wanted: false,
            fetch_at: Instant::now(),
            crowded: false,
            leaving: BTreeSet::new(),
            stopping: false,
        };
        let ended = session.run(stop).await;
        // Whatever the connection held is free for others the moment it is gone.
        self.queue.let_go_of_all();
        ended
    }

    fn answered(&mut self, answer: Answer) {
        let (seq, result) = answer;
        match result {
            Ok(()) => {
                self.failures = 0;
                self.resume_at = Instant::now();
                self.answer_took = self.sent_at.elapsed();
                self.stats.sent.add(1);
                self.queue.acknowledged(seq);
            }
            Err(SendError::Refused(why)) => self.queue.refused(seq, why),
            Err(SendError::Unsendable(why)) => self.queue.unsendable(seq, why),
            Err(SendError::Full) => {
                self.queue.failed(seq);
                self.resume_at = Instant::now() + OUTAGE_PAUSE_MIN;
            }
            Err(SendError::Later(_)) => {
                self.stats.failed.add(1);
                self.queue.failed(seq);
                // Of many that fail together, the first sets the pause.
                if self.resume_at <= Instant::now() {
                    let wait = pause(self.failures, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX);
                    self.resume_at = Instant::now() + wait;
                    self.failures += 1;
                }
            }
        }
    }

    /// Whether rows wait for the answers to others.
    fn holds(&self) -> bool {
        let few = self.queue.ready() < RELAY_TOGETHER;
        few && self.queue.is_under_way() && self.hold_until() > Instant::now()
    }

    /// Few rows are not sent before, while others are on their way.
    fn hold_until(&self) -> Instant {
        self.sent_at + RELAY_HOLD
    }

    /// How long after a look at the table there is none.
    fn pace(&self) -> Duration {
        (self.answer_took * RELAY_PACE_ANSWERS).clamp(RELAY_PACE_MIN, RELAY_PACE_MAX)
    }

    /// Hands over everything that may go now.
    fn send(&mut self) {
        if self.holds() {
            return;
        }
        while self.resume_at <= Instant::now() {
            let Some((seq, record)) = self.queue.send() else { return };
            let replies = self.replies.clone();
            // Nobody to tell means that the relay has ended.
            let reply = move |result| drop(replies.send((seq, result)));
            match self.producer.send(&self.topic, record, reply) {
                Ok(()) => self.sent_at = Instant::now(),
                Err(error) => self.answered((seq, Err(error))),
            }
        }
    }

    fn take_in(&mut self, fetched: Fetched) {
        let mapping = &self.mapping;
        let rows = fetched.rows.into_iter().map(|(lane, seq, row)| Row {
            seq,
            id: row.id,
            aggregate: row.aggregate,
            lane,
            payload: mapping.record(&row),
        });
        self.queue.insert(rows);
    }
}

impl Session<'_> {
    async fn run(mut self, stop: &mut watch::Receiver<bool>) -> Result<(), DatabaseError> {
        let mut answers = Vec::with_capacity(ANSWERS_MAX);
        let (mut poll_at, mut housekeeping_at) = (Instant::now() + RELAY_POLL, Instant::now());
        let mut stop_at = None;
        loop {
            if *stop.borrow() && !self.stopping {
                self.stopping = true;
                stop_at = Some(Instant::now() + RELAY_DRAIN_MAX);
            }
            let late = stop_at.is_some_and(|at| at <= Instant::now());
            if self.stopping && (self.relay.queue.is_settled() || late) {
                return Ok(());
            }
            if !self.stopping {
                self.relay.send();
            }
            self.start();
            if self.untidy && !self.housekeeping {
                self.start_housekeeping();
            }
            let paused = self.relay.resume_at > Instant::now();
            let (holds, hold_until) = (self.relay.holds(), self.relay.hold_until());
            let early = self.wanted && !self.fetching && self.fetch_at > Instant::now();
            tokio::select! {
                _ = self.relay.answers.recv_many(&mut answers, ANSWERS_MAX) => {
                    answers.drain(..).for_each(|answer| self.relay.answered(answer));
                }
                Some(done) = self.running.next() => self.done(done?),
                () = self.table.woken() => self.wanted = true,
                () = sleep_until(poll_at) => {
                    self.wanted = true;
                    poll_at = Instant::now() + RELAY_POLL;
                }
                () = sleep_until(housekeeping_at), if !self.housekeeping && !self.untidy => {
                    self.start_housekeeping();
                    housekeeping_at = Instant::now() + RELAY_HOUSEKEEPING;
                }
                () = sleep_until(self.relay.resume_at), if paused => {}
                () = sleep_until(hold_until), if holds => {}
                () = sleep_until(self.fetch_at), if early => {}
                () = sleep_until(stop_at.unwrap_or(poll_at)), if stop_at.is_some() => {}
                _ = stop.changed(), if !self.stopping => {}
            }
        }
    }

    fn run_statement<F>(&mut self, statement: F)
    where
        F: Future<Output = Result<Done, DatabaseError>> + Send + 'static,
    {
        self.running.push(Box::pin(statement));
    }

    /// Starts every statement that is due; of each kind there is one at a time.
    fn start(&mut self) {
        if !self.marking {
            self.start_mark();
        }
        if !self.setting_aside {
            self.start_set_aside();
        }
        let room = self.relay.queue.room() >= RELAY_BATCH_ROWS_MAX;
        let due = self.wanted && self.fetch_at <= Instant::now();
        if due && room && !self.fetching && !self.stopping {
            self.start_fetch();
        }
        self.start_giving_back();
    }

    fn start_mark(&mut self) {
        let rows = self.relay.queue.to_mark(RELAY_BATCH_ROWS_MAX);
        if rows.is_empty() {
            return;
        }
        self.marking = true;
        let table = self.table.clone();
        self.run_statement(async move {
            let (rows, ids): (Vec<i64>, Vec<Uuid>) = rows.into_iter().unzip();
            table.mark(ids).await?;
            Ok(Done::Marked(rows))
        });
    }

    fn start_set_aside(&mut self) {
        let Some((seq, id, why)) = self.relay.queue.to_set_aside().into_iter().next() else {
            return;
        };
        let why = reason(&why);
        tracing::error!(
            outbox = self.relay.name, event = %id, reason = why,
            "an event can never be sent; it is set aside, and what follows in its aggregate waits"
        );
        self.setting_aside = true;
        let table = self.table.clone();
        self.run_statement(async move {
            table.set_aside(id, why).await?;
            Ok(Done::SetAside(seq))
        });
    }

    fn start_fetch(&mut self) {
        let queue = &self.relay.queue;
        let lanes: Vec<Lane> = queue.lanes().iter().copied().collect();
        if lanes.is_empty() {
            return;
        }
        let each = (RELAY_BATCH_ROWS_MAX / lanes.len()).max(1);
        let wanted = Wanted {
            lanes,
            known: queue.known(),
            full: queue.full(),
            rows_per_lane_max: i64::try_from(each).unwrap_or(i64::MAX),
        };
        self.crowded = !wanted.full.is_empty();
        self.wanted = false;
        self.fetch_at = Instant::now() + self.relay.pace();
        self.fetching = true;
        let table = self.table.clone();
        self.run_statement(async move { table.fetch(wanted).await.map(Done::Fetched) });
    }

    fn start_giving_back(&mut self) {
        let queue = &self.relay.queue;
        let free: Vec<Lane> =
            self.leaving.iter().copied().filter(|lane| !queue.has(*lane)).collect();
        for lane in free {
            self.leaving.remove(&lane);
            let table = self.table.clone();
            self.run_statement(async move {
                table.give_back(lane).await?;
                Ok(Done::GaveBack(lane))
            });
        }
    }

    /// Sees how many replicas there are, takes lanes up to this one's share, removes old rows.
    fn start_housekeeping(&mut self) {
        self.housekeeping = true;
        let held = self.relay.queue.lanes().clone();
        let leaving = self.leaving.clone();
        let (table, keep) = (self.table.clone(), self.relay.keep_published);
        let stopping = self.stopping;
        self.run_statement(async move {
            let replicas = usize::try_from(table.replicas().await?).unwrap_or(1).max(1);
            let share = share(replicas);
            let missing = if stopping { 0 } else { share.saturating_sub(held.len()) };
            let free = (0..LANES).filter(|lane| !held.contains(lane) && !leaving.contains(lane));
            let taken = table.take(free.collect(), missing).await?;
            let removed = table.remove(keep).await?;
            Ok(Done::KeptHouse { share, taken, removed })
        });
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Fetched(fetched) => {
                self.fetching = false;
                if fetched.more {
                    self.wanted = true;
                    self.fetch_at = Instant::now();
                }
                self.relay.take_in(fetched);
            }
            Done::Marked(rows) => {
                self.marking = false;
                self.relay.queue.marked(&rows);
                self.wanted |= self.crowded;
            }
            Done::SetAside(seq) => {
                self.setting_aside = false;
                self.relay.stats.set_aside.add(1);
                self.relay.queue.set_aside(seq);
            }
            Done::KeptHouse { share, taken, removed } => {
                self.housekeeping = false;
                self.relay.stats.removed.add(removed);
                // As many as one statement may: there are more.
                self.untidy = removed >= RELAY_REMOVE_ROWS_MAX.unsigned_abs();
                self.share_out(share, taken);
            }
            Done::GaveBack(lane) => {
                tracing::debug!(outbox = self.relay.name, lane, "a lane went to another relay");
            }
        }
    }

    fn share_out(&mut self, share: usize, taken: BTreeSet<Lane>) {
        for lane in taken {
            self.relay.queue.hold(lane);
            self.wanted = true;
        }
        let surplus = self.relay.queue.lanes().len().saturating_sub(share);
        let surplus: Vec<Lane> =
            self.relay.queue.lanes().iter().rev().take(surplus).copied().collect();
        for lane in surplus {
            self.relay.queue.let_go(lane);
            self.leaving.insert(lane);
        }
    }
}

/// How many lanes each of so many replicas may have, so that all are taken.
fn share(replicas: usize) -> usize {
    usize::try_from(LANES).unwrap_or(1).div_ceil(replicas)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_cover_all_lanes() {
        let shares = [1, 2, 3, 16, 17, 100].map(share);
        assert_eq!(shares, [16, 8, 6, 1, 1, 1]);
    }
}
