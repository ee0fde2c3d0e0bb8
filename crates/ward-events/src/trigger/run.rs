//! The trigger at work: one task between the log, the component and the dead letters.
//! It never waits for one of them while another has something to say; what may be handed out when
//! is `partition`'s to decide.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use ward_wire::Value;

use super::dead_letter::{self, DeadLetter};
use super::group::{Addressed, Arrival, Call, Epoch, Group, Pushed};
use super::partition::{CallError, Moment, Next, Outcome, Rules};
use super::{Consume, TriggerOptions};
use crate::limits::{COMMIT_EVERY, COMMIT_LOOK, REVOKE_MAX, STOP_MAX};
use crate::log::{Farewell, Incoming, Log, Member, Membership, News, TopicPartition};
use crate::wire;

/// How many chunks of the log's may wait. It is small: what waits is held twice.
const NEWS_MAX: usize = 8;

/// A record with its event, where it could be read.
pub(super) struct Delivery {
    record: Incoming,
    event: Option<Value>,
}

type Shared = Arc<Delivery>;

/// What a call came to.
struct Ended {
    place: TopicPartition,
    epoch: Epoch,
    /// Which build of the component was called.
    revision: String,
    result: Result<Vec<Outcome>, CallError>,
}

/// Partitions that are being taken away once their calls have ended.
struct Revoking {
    places: Vec<TopicPartition>,
    farewell: Farewell,
    until: Instant,
}

/// One consumer's life.
pub(super) struct Session<'t> {
    options: &'t Arc<TriggerOptions>,
    log: &'t Arc<dyn Log>,
    member: Option<Box<dyn Member>>,
    news: mpsc::Receiver<News>,
    group: Group<Shared>,
    calls: JoinSet<Ended>,
    letters: JoinSet<(TopicPartition, Epoch, i64)>,
    revoking: Vec<Revoking>,
    started: Instant,
    /// When a stop was asked for, this is when it is carried out at the latest.
    stop_at: Option<Instant>,
}

/// Consumes until a stop is asked for (`Ok`) or the client gives up (`Err`).
pub(super) async fn session(
    options: &Arc<TriggerOptions>,
    log: &Arc<dyn Log>,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), String> {
    let (sender, news) = mpsc::channel(NEWS_MAX);
    let membership = Membership {
        group: options.group.clone(),
        topics: options.topics.clone(),
        from: options.from,
    };
    let member = log.join(&membership, sender)?;
    let rules = Rules {
        batch_max: options.batch_records_max,
        batch_wait: options.batch_wait,
        retries: options.retries,
        patience: options.patience,
    };
    let session = Session {
        options,
        log,
        member: Some(member),
        news,
        group: Group::new(rules, options.concurrency),
        calls: JoinSet::new(),
        letters: JoinSet::new(),
        revoking: Vec::new(),
        started: Instant::now(),
        stop_at: None,
    };
    session.run(stop).await
}

impl Session<'_> {
    async fn run(mut self, stop: &mut watch::Receiver<bool>) -> Result<(), String> {
        let mut commit_at = Instant::now() + COMMIT_EVERY;
        loop {
            if *stop.borrow() && self.stop_at.is_none() {
                self.stop_at = Some(Instant::now() + STOP_MAX);
                self.group.close_all();
            }
            self.leave_when_quiet();
            let wake = self.start_calls();
            let wake = wake.into_iter().chain(self.deadline()).min();
            let wake_at = wake.unwrap_or_else(|| Instant::now() + COMMIT_EVERY);
            // In this order always, so that under a simulated clock a run repeats itself. Nobody is
            // kept waiting for long: ticks are rare, and what calls and letters come from is news.
            tokio::select! {
                biased;
                asked = stop.changed(), if self.stop_at.is_none() => if asked.is_err() {
                    self.stop_at = Some(Instant::now() + STOP_MAX);
                    self.group.close_all();
                },
                () = sleep_until(commit_at) => {
                    self.commit();
                    commit_at = Instant::now() + COMMIT_LOOK;
                    continue;
                }
                Some(ended) = self.calls.join_next() => self.call_ended(ended),
                Some(sent) = self.letters.join_next() => {
                    if let Ok((place, epoch, offset)) = sent {
                        self.group.set_aside(&place, epoch, offset);
                    }
                }
                news = self.news.recv() => match news {
                    Some(News::Ended(why)) => return self.ended(why).await,
                    Some(news) => self.happened(news),
                    None => return self.ended(Some("its log is gone".to_owned())).await,
                },
                () = sleep_until(wake_at), if wake.is_some() => {}
            }
            self.clear();
            self.say_farewell();
            self.fetch();
            commit_at = commit_at.min(Instant::now() + COMMIT_EVERY);
        }
    }

    fn now(&self) -> Moment {
        self.started.elapsed()
    }

    /// Makes every call that may be made; says when there may be another.
    fn start_calls(&mut self) -> Option<Instant> {
        loop {
            match self.group.next(self.now()) {
                Next::Now(call) => self.start_call(call),
                Next::At(at) => return Some(self.started + at),
                Next::Nothing => return None,
            }
        }
    }

    fn start_call(&mut self, call: Call<Shared>) {
        let Call { place, epoch, records } = call;
        let component = (self.options.consume)();
        let revision = component.revision();
        self.options.stats.calls.inc_by(1);
        self.calls.spawn(async move {
            // On a task of its own, so that a panic on the way costs this call and no more.
            let called = tokio::spawn(consume(component, records)).await;
            let result = called.unwrap_or_else(|error| Err(CallError::Failed(error.to_string())));
            Ended { place, epoch, revision, result }
        });
    }

    fn call_ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let Ok(Ended { place, epoch, revision, result }) = ended else { return };
        match &result {
            Ok(outcomes) => self.count(outcomes),
            Err(error) => {
                self.options.stats.failed.inc_by(1);
                let (topic, partition) = (&place.0, place.1);
                tracing::warn!(
                    trigger = self.options.id, topic = %topic, partition, reason = %error,
                    "a call came to nothing; its records are tried again"
                );
            }
        }
        let letters = self.group.ended(&place, epoch, result, self.now());
        letters.into_iter().for_each(|letter| self.set_aside(letter, revision.clone()));
    }

    fn count(&self, outcomes: &[Outcome]) {
        let count = |which: fn(&&Outcome) -> bool| {
            u64::try_from(outcomes.iter().filter(which).count()).unwrap_or(u64::MAX)
        };
        self.options.stats.done.inc_by(count(|outcome| **outcome == Outcome::Done));
        self.options.stats.retried.inc_by(count(|outcome| matches!(outcome, Outcome::Retry(_))));
    }

    /// Sends a record to the dead letters, for as long as it takes.
    fn set_aside(&mut self, addressed: Addressed<Shared>, revision: String) {
        let Addressed { place, epoch, letter } = addressed;
        let options = self.options;
        let dead = DeadLetter {
            reason: letter.reason,
            component: options.component.clone(),
            revision,
            group: options.group.clone(),
            topic: place.0.to_string(),
            partition: place.1,
            offset: letter.offset,
            attempts: letter.attempts,
            at: DeadLetter::now(),
        };
        tracing::warn!(
            trigger = options.id,
            topic = dead.topic,
            partition = dead.partition,
            offset = dead.offset,
            attempts = dead.attempts,
            reason = dead.reason,
            "a record goes to the dead letters"
        );
        self.options.stats.dead.inc_by(1);
        let (record, topic) =
            (dead.wrap(&letter.record.record), (options.dead_letter_of)(&place.0));
        let log = self.log.clone();
        let offset = letter.offset;
        self.letters.spawn(async move {
            dead_letter::deliver(&*log, &topic, record).await;
            (place, epoch, offset)
        });
    }

    /// Takes dead letters back of whom nothing is to be known any more.
    fn clear(&mut self) {
        for (place, epoch, offset, delivery) in self.group.clearing() {
            let record = dead_letter::clearing(&delivery.record);
            let (log, topic) = (self.log.clone(), (self.options.dead_letter_of)(&place.0));
            self.letters.spawn(async move {
                dead_letter::deliver(&*log, &topic, record).await;
                (place, epoch, offset)
            });
        }
    }

    fn happened(&mut self, news: News) {
        match news {
            News::Records(records) => records.into_iter().for_each(|record| self.arrived(record)),
            News::Assigned(places) => {
                tracing::debug!(trigger = self.options.id, count = places.len(), "partitions came");
                self.group.assign(places);
                if self.stop_at.is_some() {
                    self.group.close_all();
                }
            }
            News::Revoked(places, farewell) => {
                self.group.close(&places);
                let until = Instant::now() + REVOKE_MAX;
                self.revoking.push(Revoking { places, farewell, until });
            }
            News::Lost(places) => {
                tracing::warn!(
                    trigger = self.options.id,
                    count = places.len(),
                    "partitions went to another consumer before this one had let go"
                );
                self.group.remove(&places);
            }
            News::Ended(_) => {}
        }
    }

    fn arrived(&mut self, record: Incoming) {
        let (options, place) = (self.options, (record.topic.clone(), record.partition));
        let is_ours = dead_letter::is_for(&record, &options.group);
        let (event, arrival) = match record.value.as_deref().filter(|_| is_ours) {
            // Nothing has happened: whoever keeps the latest of each key may forget it.
            None => (None, Arrival::PassedOver),
            Some(value) => match options.event.decode(value) {
                Ok(event) => (Some(event), Arrival::Wanted),
                Err(why) => (None, Arrival::Unreadable(format!("it cannot be read: {why}"))),
            },
        };
        let key = record.key.clone();
        let position = (record.offset, key.as_deref(), record.bytes());
        let (offset, erases) = (record.offset, record.erases() && self.log.forgets());
        let delivery = Arc::new(Delivery { record, event });
        let pushed = self.group.push(&place, position, delivery, arrival, self.now());
        if erases && pushed.is_some() {
            self.group.erases(&place, offset);
        }
        match pushed {
            Some(Pushed::Leaving(letter)) => {
                let revision = (options.consume)().revision();
                self.set_aside(letter, revision);
            }
            Some(Pushed::PassedOver) if is_ours => {
                options.stats.tombstones.inc();
            }
            Some(Pushed::PassedOver) => {
                options.stats.for_others.inc();
            }
            Some(Pushed::Waiting) | None => {}
        }
    }

    /// Lets go of partitions whose calls have ended, or have taken too long to.
    fn say_farewell(&mut self) {
        for revoking in std::mem::take(&mut self.revoking) {
            let Revoking { places, farewell, until } = revoking;
            if !self.group.are_quiet(&places) && until > Instant::now() {
                self.revoking.push(Revoking { places, farewell, until });
                continue;
            }
            let positions = self.group.positions(&places);
            self.group.remove(&places);
            farewell(positions);
        }
    }

    /// When something is due that nothing announces.
    fn deadline(&self) -> Option<Instant> {
        let leaving = self.stop_at.filter(|_| self.member.is_some());
        self.revoking.iter().map(|revoking| revoking.until).chain(leaving).min()
    }

    /// After a stop was asked for: leaves the group when the component has nothing any more.
    fn leave_when_quiet(&mut self) {
        let Some(stop_at) = self.stop_at else { return };
        let places = self.group.places();
        if self.group.are_quiet(&places) || stop_at <= Instant::now() {
            // Its partitions are revoked on the way, which commits their positions.
            self.member.take().into_iter().for_each(Member::leave);
        }
    }

    fn commit(&mut self) {
        let Some(member) = &self.member else { return };
        if member.commit_failed() {
            self.group.forget_commits();
        }
        let positions = self.group.take_commit();
        if !positions.is_empty() {
            member.commit(positions);
        }
        self.options.stats.waiting.set(i64::try_from(self.group.len()).unwrap_or(i64::MAX));
    }

    fn fetch(&mut self) {
        let changes = self.group.fetching();
        if let Some(member) = self.member.as_ref().filter(|_| !changes.is_empty()) {
            member.fetch(changes);
        }
    }

    /// The membership has ended. Calls that still run are let run: what they do is known by its
    /// event ids when their records come again.
    async fn ended(mut self, why: Option<String>) -> Result<(), String> {
        self.calls.detach_all();
        // The member's last words find nobody, and are not waited for.
        drop(self.news);
        if let Some(member) = self.member.take() {
            // Its end may block.
            drop(tokio::task::spawn_blocking(move || drop(member)).await);
        }
        why.map_or(Ok(()), Err)
    }
}

async fn consume(
    component: Arc<dyn Consume>,
    records: Vec<Shared>,
) -> Result<Vec<Outcome>, CallError> {
    let deliver =
        |delivery: &Shared| Some(wire::delivery(&delivery.record, delivery.event.clone()?));
    let deliveries: Vec<Value> = records.iter().filter_map(deliver).collect();
    let result = component.consume(vec![Value::List(deliveries)]).await?;
    wire::outcomes(result).map_err(CallError::Failed)
}
