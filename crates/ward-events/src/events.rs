//! All relays and triggers of an application, started and stopped together. Nothing waits for the
//! broker: where it is away, events wait in their outboxes and this goes on trying.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::limits::{OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, UNMADE_PAUSE, UNMADE_SAID_EVERY, pause};
use crate::log::{Log, TopicShape, Unmade};
use crate::relay::{RelayHandle, RelayOptions};
use crate::trigger::{TriggerHandle, TriggerOptions};

/// What is to be run.
pub struct EventsOptions {
    /// What they go through.
    pub log: Arc<dyn Log>,
    /// How missing topics are made.
    pub shape: TopicShape,
    /// Outboxes to ship.
    pub relays: Vec<RelayOptions>,
    /// Topics to consume.
    pub triggers: Vec<TriggerOptions>,
}

impl EventsOptions {
    /// Every topic that is written or read, dead letters among them.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        let mut topics: BTreeSet<String> =
            self.relays.iter().map(|relay| relay.topic.clone()).collect();
        for trigger in &self.triggers {
            for topic in &trigger.topics {
                topics.insert((trigger.dead_letter_of)(topic));
                topics.insert(topic.clone());
            }
        }
        topics.into_iter().collect()
    }
}

/// Running relays and triggers.
pub struct Events {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Events {
    /// Starts everything, as soon as the log can be reached and has the topics. Where one cannot be
    /// made, what needs it waits for it alone.
    #[must_use]
    pub fn start(options: EventsOptions) -> Events {
        let (stop, stopped) = watch::channel(false);
        Events { stop, task: tokio::spawn(run(options, stopped)) }
    }

    /// Stops everything in order: records that components have are waited for, positions are
    /// committed, what the broker has is marked.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "stopping events");
        }
    }
}

async fn run(options: EventsOptions, mut stop: watch::Receiver<bool>) {
    let topics = options.topics();
    let EventsOptions { log, shape, relays, triggers } = options;
    let relays = relays.into_iter().map(Part::Relay);
    let mut waiting: Vec<Part> =
        relays.chain(triggers.into_iter().map(|own| Part::Trigger(Box::new(own)))).collect();
    let mut running = Vec::new();
    let mut missing = Missing::default();
    loop {
        let unmade = tokio::select! {
            unmade = ensure_topics(&*log, &topics, shape) => unmade,
            // Asked to stop, or forgotten.
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let is_held = |part: &Part| unmade.iter().any(|one| part.needs(&one.topic));
        let (held, ready): (Vec<Part>, Vec<Part>) = waiting.into_iter().partition(is_held);
        waiting = held;
        running.extend(ready.into_iter().map(|part| part.start(&log, &stop)));
        missing.say(&unmade);
        if unmade.is_empty() {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(UNMADE_PAUSE) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    for part in running {
        part.ended().await;
    }
}

/// What is started once its topics are there.
enum Part {
    Relay(RelayOptions),
    Trigger(Box<TriggerOptions>),
}

impl Part {
    /// Whether it cannot do anything without a topic. A trigger can without its dead letters': a
    /// record that is to go there waits, and holds up no other.
    fn needs(&self, topic: &str) -> bool {
        match self {
            Part::Relay(relay) => relay.topic == topic,
            Part::Trigger(trigger) => trigger.topics.iter().any(|own| own == topic),
        }
    }

    fn start(self, log: &Arc<dyn Log>, stop: &watch::Receiver<bool>) -> Running {
        match self {
            Part::Relay(relay) => {
                Running::Relay(RelayHandle::spawn(relay, log.clone(), stop.clone()))
            }
            Part::Trigger(trigger) => {
                Running::Trigger(TriggerHandle::spawn(*trigger, log.clone(), stop.clone()))
            }
        }
    }
}

enum Running {
    Relay(RelayHandle),
    Trigger(TriggerHandle),
}

impl Running {
    async fn ended(self) {
        match self {
            Running::Relay(relay) => relay.ended().await,
            Running::Trigger(trigger) => trigger.ended().await,
        }
    }
}

/// Topics that are missing, as that was said last.
#[derive(Default)]
struct Missing {
    said: Option<(Instant, Vec<Unmade>)>,
}

impl Missing {
    /// Names them when they change, and now and then while they are missing.
    fn say(&mut self, unmade: &[Unmade]) {
        let is_known = |(at, said): &(Instant, Vec<Unmade>)| {
            at.elapsed() < UNMADE_SAID_EVERY && said.as_slice() == unmade
        };
        if self.said.as_ref().is_some_and(is_known) {
            return;
        }
        for Unmade { topic, reason } in unmade {
            tracing::warn!(
                topic,
                reason,
                "a topic is missing and could not be made; who needs it waits, the others go on"
            );
        }
        self.said = Some((Instant::now(), unmade.to_vec()));
    }
}

/// Makes the topics that are missing, again and again until it is known which there are; says which
/// could not be made.
async fn ensure_topics(log: &dyn Log, topics: &[String], shape: TopicShape) -> Vec<Unmade> {
    let mut attempt = 0;
    loop {
        let trouble = match log.ensure_topics(topics, shape).await {
            Ok(unmade) => {
                log.tried(Ok(()));
                return unmade;
            }
            Err(trouble) => trouble,
        };
        log.tried(Err(&trouble));
        tokio::time::sleep(pause(attempt, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX)).await;
        attempt += 1;
    }
}
