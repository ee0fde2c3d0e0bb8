//! `ward wit asyncapi`: what the topics of an application carry, as AsyncAPI 3.0. Which records are
//! sent where is in the manifest; what they look like follows from their WIT, as it does for the
//! relay.

use serde_json::{Map, Value, json};
use ward_manifest::{App, KafkaTrigger, Outbox};
use ward_wire::{Contract, Message, Naming, Refusal};

const VERSION: &str = "3.0.0";
const PROTOBUF: &str = "application/vnd.google.protobuf;version=3";
const CONTENT_TYPE: &str = "application/protobuf";

/// The document, as text.
pub(crate) fn document(app: &App, contract: &Contract) -> Result<String, Vec<Refusal>> {
    let outboxes = app.kafka.iter().flat_map(|kafka| &kafka.outboxes);
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for outbox in outboxes {
        let message =
            Message::derive(contract, &outbox.interface, &outbox.record, &Naming::default())?;
        let name = message.full_name().to_owned();
        channels.insert(outbox.topic.clone(), channel(outbox, &name));
        messages.insert(name.clone(), carried(outbox, &message));
        let sent = format!("{}.send.{}", outbox.component, outbox.topic);
        operations.insert(sent, operation("send", &outbox.topic, &name, None));
        for trigger in app.kafka_triggers.iter().filter(|it| it.topics.contains(&outbox.topic)) {
            let received = format!("{}.receive.{}", trigger.component, outbox.topic);
            operations.insert(received, operation("receive", &outbox.topic, &name, Some(trigger)));
        }
    }
    let document = json!({
        "asyncapi": VERSION,
        "info": {
            "title": format!("{}: events", app.name),
            "version": app.version.as_deref().unwrap_or("0"),
            "description": "What was committed and others want to know: at least once, and in \
                order for each key.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages },
    });
    Ok(format!("{document:#}\n"))
}

fn channel(outbox: &Outbox, message: &str) -> Value {
    json!({
        "address": outbox.topic,
        "description": format!("Records of `{}` of {}.", outbox.record, outbox.interface),
        "messages": { message: { "$ref": format!("#/components/messages/{message}") } },
    })
}

fn operation(action: &str, topic: &str, message: &str, trigger: Option<&KafkaTrigger>) -> Value {
    let group = trigger.map(|trigger| {
        let group = json!({ "type": "string", "const": trigger.group });
        json!({ "kafka": { "groupId": group, "bindingVersion": "0.5.0" } })
    });
    json!({
        "action": action,
        "channel": { "$ref": format!("#/channels/{topic}") },
        "messages": [{ "$ref": format!("#/channels/{topic}/messages/{message}") }],
        "bindings": group.unwrap_or_else(|| json!({})),
    })
}

/// A record: its key, its headers, which are those of CloudEvents, and its value.
fn carried(outbox: &Outbox, message: &Message) -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "name": message.full_name(),
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": {
                "ce_specversion": { "type": "string", "const": "1.0" },
                "ce_id": text("The event's id, a UUID: the same change never has two."),
                "ce_type": text("What happened."),
                "ce_source": { "type": "string", "const": outbox.source },
                "ce_time": text("When it happened: RFC 3339, UTC."),
                "ce_subject": text("What changed; the record's key."),
                "content-type": { "type": "string", "const": CONTENT_TYPE },
                "traceparent": text("The trace it belongs to, where the client sent one."),
            },
            "required": [
                "ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject",
                "content-type",
            ],
        },
        "payload": { "schemaFormat": PROTOBUF, "schema": message.proto_text() },
        "bindings": {
            "kafka": {
                "key": text(&format!("The record's field `{}`.", outbox.key)),
                "bindingVersion": "0.5.0",
            },
        },
    })
}
