//! All relays and triggers of an application, started and stopped together. Nothing waits for the
//! broker: where it is away, events wait in their outboxes and this goes on trying.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::limits::{OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, pause};
use crate::log::{Log, TopicShape};
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
    /// Starts everything, as soon as the log can be reached and has the topics.
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
    tokio::select! {
        () = ensure_topics(&*log, &topics, shape) => {}
        // Asked to stop, or forgotten, before there was anything to stop.
        _ = stop.wait_for(|stop| *stop) => return,
    }
    let relays: Vec<_> = relays
        .into_iter()
        .map(|relay| RelayHandle::spawn(relay, log.clone(), stop.clone()))
        .collect();
    let triggers: Vec<_> = triggers
        .into_iter()
        .map(|trigger| TriggerHandle::spawn(trigger, log.clone(), stop.clone()))
        .collect();
    for trigger in triggers {
        trigger.ended().await;
    }
    for relay in relays {
        relay.ended().await;
    }
}

/// Makes the topics that are missing, again and again until it is done.
async fn ensure_topics(log: &dyn Log, topics: &[String], shape: TopicShape) {
    let mut attempt = 0;
    while let Err(trouble) = log.ensure_topics(topics, shape).await {
        log.tried(Err(&trouble));
        tokio::time::sleep(pause(attempt, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX)).await;
        attempt += 1;
    }
    log.tried(Ok(()));
}
