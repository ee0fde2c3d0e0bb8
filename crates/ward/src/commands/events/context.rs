//! What every `ward events` command works on: the log, and the types of what is on its topics.

use std::sync::Arc;

use ward_events::{EventType, Incoming, Log, ToolError};
use ward_manifest::{App, KafkaSettings};
use ward_wire::Contract;

use super::mask::{mask, mask_header};
use crate::application::Application;
use crate::events::contract;
use crate::failure::Failure;

/// The log and the contracts of an application.
pub(super) struct Context {
    pub(super) app: App,
    pub(super) log: Arc<dyn Log>,
    contract: Contract,
}

impl Context {
    /// What the manifest says of what is in this log.
    pub(super) fn load(application: &Application, log: Arc<dyn Log>) -> Result<Context, Failure> {
        let app = application.app.clone();
        let contract = contract(settings(&app)?)?;
        Ok(Context { app, log, contract })
    }

    /// The type of what is on a topic, from the outbox that fills it or a trigger that reads it.
    pub(super) fn event_type(&self, topic: &str) -> Result<EventType, Failure> {
        let outboxes = self.app.kafka.iter().flat_map(|kafka: &KafkaSettings| &kafka.outboxes);
        let named = Failure::because(format!("the topic {topic}"));
        if let Some(outbox) = outboxes.into_iter().find(|outbox| outbox.topic == topic) {
            let derived = EventType::derive(&self.contract, &outbox.interface, &outbox.record);
            return derived.map_err(named);
        }
        let reads = |topics: &Vec<String>| topics.iter().any(|own| own == topic);
        match self.app.kafka_triggers.iter().find(|trigger| reads(&trigger.topics)) {
            Some(trigger) => {
                EventType::of_consumer(&self.contract, &trigger.interface, &trigger.function)
                    .map_err(named)
            }
            None => Err(Failure::new(format!("the manifest says nothing of a topic `{topic}`"))),
        }
    }

    /// One record as a JSON object. Without `reveal`, values that may be about a person are masked.
    pub(super) fn shown(
        &self,
        event: Option<&EventType>,
        record: &Incoming,
        reveal: bool,
    ) -> serde_json::Value {
        let value = record.value.as_deref().zip(event).map(|(bytes, event)| {
            let message = event.message();
            match message.decode(bytes).ok().and_then(|value| message.to_json(&value).ok()) {
                Some(value) if reveal => value,
                Some(value) => mask(value),
                None => serde_json::Value::from("(cannot be read)"),
            }
        });
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let header = |(name, value): &(String, Option<Vec<u8>>)| {
            let value = text(value.as_deref().unwrap_or_default());
            let shown = if reveal { value } else { mask_header(name, value) };
            (name.clone(), serde_json::Value::from(shown))
        };
        let headers: serde_json::Map<_, _> = record.headers.iter().map(header).collect();
        serde_json::json!({
            "topic": record.topic.as_ref(),
            "partition": record.partition,
            "offset": record.offset,
            "key": record.key.as_deref().map(text),
            "headers": headers,
            "event": value,
        })
    }
}

/// What an application says of its events.
pub(super) fn settings(app: &App) -> Result<&KafkaSettings, Failure> {
    let none = || Failure::new("the application has no [application.trigger.kafka]");
    app.kafka.as_ref().ok_or_else(none)
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        Self::new(error)
    }
}
