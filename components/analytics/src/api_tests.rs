//! The API in words: what the table and the readers cannot say. The document that comes of it is
//! `docs/api/analytics.json`, which this test keeps.

use chrono::Utc;
use kit::describe::asked;
use openapi::{About, Api, Parameter};
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::answers::activity::{Activity, Question};
use crate::answers::event::Event;
use crate::answers::events::Listing;
use crate::answers::lag::Lag;
use crate::answers::rebuild::Progress;
use crate::answers::summary::Summary;
use crate::answers::timeline::{Span, Timeline};
use crate::{Handler, TRAIL};

const ID: &str = "123e4567-e89b-12d3-a456-426614174000";
const MOMENT: &str = "2024-01-10T09:30:00.000000Z";

/// The two answers about activity.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it is there for its schema")]
enum OneOrMany {
    One(Activity),
    Many(Vec<Activity>),
}

fn activity() -> Value {
    json!({
        "patientId": ID, "status": "ACTIVE", "version": 2, "events": 2,
        "firstAt": MOMENT, "lastAt": MOMENT,
    })
}

fn event() -> Value {
    json!({
        "sequence": 1, "id": "0198a3c0-7e1b-7c3a-9d52-0123456789ab", "patientId": ID, "version": 1,
        "type": "PATIENT_CREATED", "occurredAt": MOMENT, "receivedAt": MOMENT,
    })
}

fn documents(api: Api) -> Api {
    let counts = json!({ "created": 3, "updated": 1, "deleted": 0, "erased": 0 });
    let mut bucket = counts.clone();
    bucket["at"] = MOMENT.into();
    let last = json!({ "sequence": 4, "occurredAt": MOMENT, "receivedAt": MOMENT });
    let span = json!({
        "minutes": 1, "events": 4, "meanMs": 12.5, "p50BelowMs": 10, "p99BelowMs": 50,
    });
    api.answer::<OneOrMany>("Activity", json!([activity()]))
        .answer::<Event>("Event", event())
        .answer::<Vec<Event>>("Events", json!([event()]))
        .answer::<Lag>("Lag", json!({ "last": last, "spans": [span] }))
        .answer::<Progress>("Progress", json!({ "state": "SWITCHED", "sequence": 4, "head": 4 }))
        .answer::<Summary>(
            "Summary",
            json!({
                "patients": 3,
                "ageBands": [{ "from": 0, "to": 17, "patients": 3 }],
                "events": counts,
                "sequence": 4,
            }),
        )
        .answer::<Timeline>(
            "Timeline",
            json!({ "bucket": "hour", "from": MOMENT, "to": MOMENT, "buckets": [bucket] }),
        )
}

fn patient(description: &'static str) -> Parameter {
    Parameter::new("patient", description, json!({ "type": "string", "format": "uuid" }))
}

fn timeline() -> About {
    let bucket = json!({ "type": "string", "enum": ["minute", "hour", "day"] });
    let moment = json!({ "type": "string", "format": "date-time" });
    About::new(
        "Count by time",
        "Creations, updates, deletions and erasures by when they happened. The empty buckets are \
         there, too.",
    )
    .query(
        asked(|| Span::parse("", Utc::now().naive_utc())),
        vec![
            Parameter::new("bucket", "How long each is.", bucket).required().example("hour".into()),
            Parameter::new("from", "When the first begins; 60 before `to`.", moment.clone()),
            Parameter::new("to", "When the last ends; now.", moment),
        ],
    )
}

fn events() -> About {
    let sort = json!({
        "type": "string", "enum": ["sequence", "-sequence"], "default": "-sequence",
    });
    About::new("List events", "A page of the events that were applied.").paged().query(
        asked(|| Listing::parse("")),
        vec![
            Parameter::new("sort", "The order; `-` is newest first.", sort),
            patient("Whose events."),
        ],
    )
}

fn api() -> Api {
    let about = "What happened to patients, in numbers and as it happens. No names, no addresses.";
    let digits = json!({ "type": "string", "pattern": "^[0-9]{1,18}$" });
    documents(Api::new("Ward: analytics", about))
        .operation("analytics.summary", About::new("Sum up", "Patients by age, and all events."))
        .operation(
            "analytics.activity",
            About::new("Show activity", "Of one patient, or of those who changed most.")
                .query(
                    asked(|| Question::parse("")),
                    vec![patient("One patient; `limit` goes with the others.")],
                )
                .refuses(&[404]),
        )
        .operation("analytics.timeline", timeline())
        .operation("analytics.events", events())
        .operation(
            "analytics.lag",
            About::new(
                "Show the lag",
                "How long events were on their way, and the last that came.",
            ),
        )
        .operation(
            "analytics.stream",
            About::new(
                "Follow events",
                "Server-sent events, for as long as the client listens, 50 minutes at most.",
            )
            .header(Parameter::new(
                "Last-Event-ID",
                "Where to go on: the last event's id.",
                digits,
            )),
        )
        .operation(
            "analytics.rebuild",
            About::new(
                "Rebuild",
                "Projects all events anew. 202 when time was up: the next request goes on.",
            ),
        )
        .trail("analytics.audit", &TRAIL, &[])
}

#[test]
fn the_document_is_what_there_is() {
    let text = api().document(Handler::TABLE.operations()).unwrap();
    expect_test::expect_file!["../../../docs/api/analytics.json"].assert_eq(&text);
}
