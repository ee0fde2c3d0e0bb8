//! The relay of one service at work: takes its share of the lanes, fetches rows, hands them to the
//! log, and marks what that has. One task, which never waits for one thing while it
//! could do another; what may be sent when is `queue`'s to say.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::event::Mapping;
use super::handover::Handover;
use super::queue::{Lane, Queue, Row};
use super::table::{Fetched, LANES, Lanes, Table, Wanted};
use crate::database::DatabaseError;
use crate::limits::{
    BEAT_EVERY, NOTIFY_EVERY, OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, RELAY_BATCH_ROWS_MAX,
    RELAY_DRAIN_MAX, RELAY_PACE, RELAY_POLL, RELAY_REMOVE_EVERY, RELAY_REMOVE_ROWS_MAX, pause,
    reason,
};
use crate::log::{Log, Outgoing, SendError};
use crate::stats::RelayStats;

/// How many answers are taken in at once.
const ANSWERS_MAX: usize = 1024;

/// [`LANES`] as a number of things.
const ALL_LANES: usize = LANES as usize;

/// What became of a row that was handed to the producer.
type Answer = (i64, Result<(), SendError>);

/// What outlives a connection: rows on their way, and how the broker is doing.
pub(super) struct Relay {
    pub(super) name: String,
    pub(super) topic: String,
    pub(super) mapping: Mapping,
    pub(super) keep_published: Duration,
    pub(super) log: Arc<dyn Log>,
    pub(super) stats: Arc<RelayStats>,
    queue: Queue<Outgoing>,
    replies: mpsc::UnboundedSender<Answer>,
    answers: mpsc::UnboundedReceiver<Answer>,
    /// Failures since the last success.
    failures: u32,
    /// Nothing is sent before.
    resume_at: Instant,
    /// Its lanes are its own for certain until then: nothing is sent after.
    pub(super) certain_until: Instant,
    /// Somebody in this process has written.
    written: Arc<Notify>,
    /// Its name among the relays that share the lanes.
    pub(super) id: Uuid,
}

/// What a statement came to.
enum Done {
    Fetched(Fetched),
    Marked(Vec<i64>),
    SetAside(i64),
    KeptHouse { lanes: Lanes, removed: u64 },
    GaveBack(Lane),
    Told,
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
    /// There is more to be removed.
    untidy: bool,
    /// Nothing is looked for to be removed before.
    remove_at: Instant,
    /// Something may be there that was not fetched.
    wanted: bool,
    /// It is not fetched before.
    fetch_at: Instant,
    /// The last fetch left out aggregates that had enough rows here.
    crowded: bool,
    handover: Handover,
    /// Other wards' relays have not been told of what was written here.
    untold: bool,
    telling: bool,
    /// They are not told before.
    tell_at: Instant,
    stopping: bool,
}

impl Relay {
    pub(super) fn new(
        (name, topic): (String, String),
        mapping: Mapping,
        keep_published: Duration,
        log: Arc<dyn Log>,
        stats: Arc<RelayStats>,
    ) -> Relay {
        let (replies, answers) = mpsc::unbounded_channel();
        Relay {
            name,
            topic,
            mapping,
            keep_published,
            log,
            stats,
            queue: Queue::default(),
            replies,
            answers,
            failures: 0,
            resume_at: Instant::now(),
            certain_until: Instant::now(),
            written: Arc::default(),
            id: Uuid::new_v4(),
        }
    }

    /// The same, woken by this.
    pub(super) fn woken_by(self, written: Arc<Notify>) -> Relay {
        Relay { written, ..self }
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
            untidy: false,
            remove_at: Instant::now(),
            wanted: false,
            fetch_at: Instant::now(),
            crowded: false,
            handover: Handover::default(),
            untold: false,
            telling: false,
            tell_at: Instant::now(),
            stopping: false,
        };
        let ended = session.run(stop).await;
        // Whatever the connection held is free for others the moment it is gone.
        self.queue.let_go_of_all();
        self.certain_until = Instant::now();
        ended
    }

    fn answered(&mut self, answer: Answer) {
        let (seq, result) = answer;
        match result {
            Ok(()) => {
                self.failures = 0;
                self.resume_at = Instant::now();
                self.stats.sent.inc_by(1);
                self.queue.acknowledged(seq);
            }
            Err(SendError::Refused(why)) => self.queue.refused(seq, why),
            Err(SendError::Unsendable(why)) => self.queue.unsendable(seq, why),
            Err(SendError::Full) => {
                self.queue.failed(seq);
                self.resume_at = Instant::now() + OUTAGE_PAUSE_MIN;
            }
            Err(SendError::Later(_)) => {
                self.stats.failed.inc_by(1);
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

    /// Hands over everything that may go now. Whoever has stood still sends nothing before it knows
    /// that its lanes are its own.
    fn send(&mut self) {
        let now = Instant::now();
        while self.resume_at <= now && now < self.certain_until {
            let Some((seq, record)) = self.queue.send() else { return };
            let replies = self.replies.clone();
            // Nobody to tell means that the relay has ended.
            let reply = move |result| drop(replies.send((seq, result)));
            if let Err(error) = self.log.append(&self.topic, record, Box::new(reply)) {
                self.answered((seq, Err(error)));
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
        let written = self.relay.written.clone();
        loop {
            if *stop.borrow() && !self.stopping {
                self.stopping = true;
                stop_at = Some(Instant::now() + RELAY_DRAIN_MAX);
            }
            let late = stop_at.is_some_and(|at| at <= Instant::now());
            if self.stopping && (self.relay.queue.is_settled() || late) {
                return self.table.leave().await;
            }
            if !self.stopping {
                self.relay.send();
            }
            self.start();
            if self.untidy && self.handover.may_ask() {
                self.start_housekeeping();
            }
            let paused = self.relay.resume_at > Instant::now();
            let untold = self.untold && !self.telling;
            let early = self.wanted && !self.fetching && self.fetch_at > Instant::now();
            tokio::select! {
                _ = self.relay.answers.recv_many(&mut answers, ANSWERS_MAX) => {
                    answers.drain(..).for_each(|answer| self.relay.answered(answer));
                }
                Some(done) = self.running.next() => self.done(done?),
                () = self.table.woken() => self.wanted = true,
                () = written.notified() => {
                    self.wanted = true;
                    // Where all lanes are here there is nobody who has to know.
                    self.untold = self.relay.queue.lanes().len() < ALL_LANES;
                }
                () = sleep_until(poll_at) => {
                    self.wanted = true;
                    poll_at = Instant::now() + RELAY_POLL;
                }
                () = sleep_until(housekeeping_at), if self.handover.may_ask() && !self.untidy => {
                    self.start_housekeeping();
                    housekeeping_at = Instant::now() + BEAT_EVERY;
                }
                () = sleep_until(self.relay.resume_at), if paused => {}
                () = sleep_until(self.fetch_at), if early => {}
                () = sleep_until(self.tell_at), if untold => {}
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
        if self.untold && !self.telling && self.tell_at <= Instant::now() {
            self.start_telling();
        }
    }

    fn start_telling(&mut self) {
        self.untold = false;
        self.telling = true;
        self.tell_at = Instant::now() + NOTIFY_EVERY;
        let table = self.table.clone();
        self.run_statement(async move { table.tell_others().await.map(|()| Done::Told) });
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
        self.fetch_at = Instant::now() + RELAY_PACE;
        self.fetching = true;
        let table = self.table.clone();
        self.run_statement(async move { table.fetch(wanted).await.map(Done::Fetched) });
    }

    fn start_giving_back(&mut self) {
        let queue = &self.relay.queue;
        for lane in self.handover.give_back(|lane| queue.has(lane)) {
            let table = self.table.clone();
            self.run_statement(async move {
                table.give_back(lane).await?;
                Ok(Done::GaveBack(lane))
            });
        }
    }

    /// Says that this relay is there, takes lanes up to its share, and removes old rows now and
    /// then.
    fn start_housekeeping(&mut self) {
        self.handover.ask();
        let (table, keep, now) = (self.table.clone(), self.relay.keep_published, Instant::now());
        let removes = self.untidy || self.remove_at <= now;
        if removes {
            self.remove_at = now + keep.min(RELAY_REMOVE_EVERY);
        }
        self.run_statement(async move {
            let lanes = table.take().await?;
            let removed = if removes { table.remove(keep).await? } else { 0 };
            Ok(Done::KeptHouse { lanes, removed })
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
                self.relay.stats.set_aside.inc_by(1);
                self.relay.queue.set_aside(seq);
            }
            Done::KeptHouse { lanes, removed } => {
                self.relay.stats.removed.inc_by(removed);
                // As many as one statement may: there are more.
                self.untidy = removed >= RELAY_REMOVE_ROWS_MAX.unsigned_abs();
                self.share_out(lanes);
            }
            Done::Told => self.telling = false,
            Done::GaveBack(lane) => {
                self.handover.gave_back(lane);
                tracing::debug!(outbox = self.relay.name, lane, "a lane went to another relay");
            }
        }
    }

    /// Takes up lanes that came, lets go of those that went to another while this relay stood
    /// still, and begins to give back what is more than its share.
    fn share_out(&mut self, lanes: Lanes) {
        let Lanes { own, share, until } = lanes;
        self.relay.certain_until = until;
        let held = self.relay.queue.lanes().clone();
        for lane in held.difference(&own) {
            tracing::warn!(outbox = self.relay.name, lane, "a lane went to another relay");
            self.relay.queue.let_go(*lane);
        }
        self.handover.answered(&own);
        for lane in own.difference(&held).filter(|lane| !self.handover.is_leaving(**lane)) {
            self.relay.queue.hold(*lane);
            self.wanted = true;
        }
        let surplus = self.relay.queue.lanes().len().saturating_sub(share);
        let surplus: Vec<Lane> =
            self.relay.queue.lanes().iter().rev().take(surplus).copied().collect();
        for lane in surplus {
            self.relay.queue.let_go(lane);
            self.handover.leave(lane);
        }
    }
}
