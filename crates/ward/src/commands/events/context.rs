//! What every `ward events` command works on: the broker, and the types of what is on its topics.

use ward_kafka::{Connection, EventType, Incoming, ToolError};
use ward_manifest::{App, KafkaSettings};
use ward_wire::Contract;

use super::mask::mask;
use crate::application::Application;
use crate::events::{broker_of, contract};
use crate::failure::Failure;

/// The broker and the contracts of an application.
pub(super) struct Context {
    pub(super) app: App,
    pub(super) connection: Connection,
    contract: Contract,
}

impl Context {
    /// What the manifest says. `own` is where ward's own broker is, which is taken unless the user
    /// names one.
    pub(super) fn load(application: &Application, own: Option<String>) -> Result<Context, Failure> {
        let app = application.app.clone();
        let Some(settings) = app.kafka.clone() else {
            return Err(Failure::new("the application has no [application.trigger.kafka]"));
        };
        let connection = broker_of(application, &settings, own)?.ok_or_else(|| {
            Failure::new("there is no Kafka broker")
                .help("start `ward up` for this state directory, or give one with --kafka-brokers")
        })?;
        let contract = contract(&settings)?;
        Ok(Context { app, connection, contract })
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
        let headers: serde_json::Map<_, _> = record
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value.as_deref().unwrap_or_default()).into()))
            .collect();
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

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        Self::new(error)
    }
}
