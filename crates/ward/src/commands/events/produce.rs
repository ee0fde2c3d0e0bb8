//! `ward events produce`: sends one event from JSON, by the topic's WIT type.

use std::collections::BTreeSet;
use std::io::Read;

use chrono::{SecondsFormat, Utc};
use ward_events::{EncodeEvent, Outgoing, Reader, deliver};
use ward_runtime::RequestId;

use super::context::Context;
use crate::cli::ProduceArgs;
use crate::failure::Failure;
use crate::output;

/// Whose positions a look at the topic is about; they are not asked for.
const GROUP: &str = "ward-events-produce";

/// Fields that are in a record's headers as well.
const EVENT_ID: [&str; 2] = ["eventId", "event_id"];
const OCCURRED_AT: [&str; 2] = ["occurredAt", "occurred_at"];

/// Sends it and waits until the log has it.
pub(super) async fn run(context: &Context, args: &ProduceArgs) -> Result<(), Failure> {
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
    let mut json = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::new(format!("the event is no JSON (line {line}, column {column})"))
    })?;
    let fields = event.fields();
    let id = given_or(&mut json, &fields, EVENT_ID, || RequestId::new().to_string());
    let now = || Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let time = given_or(&mut json, &fields, OCCURRED_AT, now);
    let missing: Vec<String> =
        event.message().missing(&json).iter().map(|name| format!("`{name}`")).collect();
    if !missing.is_empty() {
        return Err(Failure::new(format!("the event lacks {}", missing.join(", ")))
            .help("give each field of the record; one that says nothing is \"\", 0 or false"));
    }
    let value = event.encode(&json).map_err(Failure::because("the event"))?;
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
    // A broker may make a missing topic when something is sent to it, of a shape of its own.
    drop(Reader::open(&*context.log, &args.topic, GROUP).await?);
    let sent = deliver(&*context.log, &args.topic, &record).await;
    sent.map_err(|error| Failure::new(format!("{} did not take it: {error}", context.log.name())))?;
    output::print(&format!("sent {id}\n"))
}

/// What is in the record and in its headers: as it was given, under either of the names that
/// protobuf's JSON has for a field, or made now, for the record as well if it has such a field.
fn given_or(
    json: &mut serde_json::Value,
    fields: &BTreeSet<String>,
    [name, alias]: [&str; 2],
    make: impl FnOnce() -> String,
) -> String {
    let is_empty = |given: &&serde_json::Value| given.is_null() || given.as_str() == Some("");
    let given = [name, alias].iter().filter_map(|name| json.get(name)).find(|g| !is_empty(g));
    if let Some(given) = given {
        // What is no text is refused with the rest of the event.
        return given.as_str().unwrap_or_default().to_owned();
    }
    let made = make();
    if let Some(object) = json.as_object_mut().filter(|_| fields.contains(name)) {
        object.remove(alias);
        object.insert(name.to_owned(), made.clone().into());
    }
    made
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::{EVENT_ID, OCCURRED_AT, given_or};

    #[test]
    fn what_is_missing_is_made_and_what_is_given_stays() {
        let fields = BTreeSet::from(["eventId".to_owned()]);
        let new = || "new".to_owned();
        let check = |mut json, id, after| {
            assert_eq!(given_or(&mut json, &fields, EVENT_ID, new), id);
            assert_eq!(json, after);
        };
        check(json!({"eventId": "own"}), "own", json!({"eventId": "own"}));
        check(json!({"event_id": "own"}), "own", json!({"event_id": "own"}));
        check(json!({"event_id": ""}), "new", json!({"eventId": "new"}));
        check(json!({"eventId": null}), "new", json!({"eventId": "new"}));
        check(json!({}), "new", json!({"eventId": "new"}));
        check(json!({"eventId": 7}), "", json!({"eventId": 7}));
        check(json!(7), "new", json!(7));
        let mut other = json!({});
        assert_eq!(given_or(&mut other, &fields, OCCURRED_AT, new), "new");
        assert_eq!(other, json!({}), "the record has no such field");
    }
}
