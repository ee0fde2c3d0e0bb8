//! `ward events produce`: sends one event from JSON, by the topic's WIT type.

use std::io::Read;

use chrono::{SecondsFormat, Utc};
use ward_kafka::{EncodeEvent, Outgoing, Producer, Reader};
use ward_runtime::RequestId;

use super::context::Context;
use crate::cli::ProduceArgs;
use crate::failure::Failure;
use crate::output;

/// Whose positions a look at the topic is about; they are not asked for.
const GROUP: &str = "ward-events-produce";

/// Sends it and waits for the broker.
pub(super) fn run(context: &Context, args: &ProduceArgs) -> Result<(), Failure> {
    let event = context.event_type(&args.topic)?;
    let text = match args.json.as_deref() {
        Some(text) if text != "-" => text.to_owned(),
        _ => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(Failure::because("reading standard input"))?;
            text
        }
    };
    // The parser's words may quote the text.
    let json = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::new(format!("the event is no JSON (line {line}, column {column})"))
    })?;
    let value = event.encode(&json).map_err(Failure::because("the event"))?;
    let id = RequestId::new().text();
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let kind = json.get("eventType").and_then(|kind| kind.as_str()).unwrap_or("event");
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", &id),
        ("ce_type", kind),
        ("ce_source", "/ward/events/produce"),
        ("ce_time", time.as_str()),
        ("content-type", "application/protobuf"),
    ];
    let record = Outgoing {
        key: args.key.clone().map(String::into_bytes),
        value: Some(value),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())))
            .collect(),
    };
    // A producer would have the broker make a missing topic, of a shape of its own.
    Reader::open(&context.connection, &args.topic, GROUP)?;
    let producer = Producer::new(context.connection.clone());
    let sent = crate::commands::runtime()?.block_on(producer.deliver(&args.topic, &record));
    sent.map_err(|error| Failure::new(format!("the broker did not take it: {error}")))?;
    output::print(&format!("sent {id}\n"))
}
