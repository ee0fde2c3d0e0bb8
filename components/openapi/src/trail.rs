//! What all services answer who did what: `GET /api/audit/<service>` ([`kit::trail`]).

use kit::trail::Trail;
use serde_json::{Map, Value, json};

use crate::{About, Api, Described, Parameter};

/// The document of the answer.
const ENTRIES: &str = "AuditEntries";
/// Columns that every row has.
const ALWAYS: [&str; 4] = ["seq", "at", "action", "outcome"];

impl Api {
    /// Describes the operation of this name, which answers with the service's audit log. `own` are
    /// the columns of this log that others do not have; what is null in a row is left out of it.
    #[must_use]
    pub fn trail(mut self, name: &'static str, trail: &Trail, own: &[(&str, Value)]) -> Self {
        let properties: Map<String, Value> = columns(trail)
            .into_iter()
            .map(|(name, schema)| (name.to_owned(), schema))
            .chain(own.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())))
            .collect();
        let entry = json!({ "type": "object", "properties": properties, "required": ALWAYS });
        let schema = json!({ "type": "array", "items": entry });
        let example = json!([{
            "seq": 7,
            "at": "2024-01-10T09:30:00.000000Z",
            "actor": "223e4567-e89b-12d3-a456-426614174006",
            "role": "AUDITOR",
            "tokenId": "123e4567-e89b-12d3-a456-426614174000",
            "action": "AUDIT",
            "outcome": "SUCCESS",
            "requestId": "0198a3c0-7e1b-7c3a-9d52-0123456789ab",
            "address": "192.0.2.7",
        }]);
        self.documents.insert(ENTRIES, Described { schema, example });
        let about =
            "A page of the service's audit log, newest first. Looking into it stands in it.";
        let about = About::new("Look into the audit log", about);
        self.operation(name, about.paged().query(trail.asked(), parameters(trail)))
    }
}

fn columns(trail: &Trail) -> Vec<(&'static str, Value)> {
    let mut columns = vec![
        ("seq", json!({ "type": "integer", "format": "int64" })),
        ("at", moment()),
        ("actor", id("Who did it; nobody, for the system itself.")),
        ("role", json!({ "type": "string" })),
        ("tokenId", json!({ "type": "string" })),
        ("action", code()),
        ("outcome", code()),
        ("requestId", json!({ "type": "string" })),
        ("address", address("Where it came from: an address, or an IPv6 network.")),
        ("operation", operation()),
        ("times", times()),
    ];
    if trail.patients {
        let shown = json!({
            "type": "array", "items": id("A patient."), "description": "Whom a list has shown.",
        });
        columns.extend([
            ("patientId", id("Whom it was about.")),
            ("shown", shown),
            ("rowCount", json!({ "type": "integer", "minimum": 0 })),
        ]);
    }
    if trail.break_glass {
        let reason = "Why restricted patients were shown.";
        columns.push(("breakGlass", json!({ "type": "string", "description": reason })));
        let reason = "Why the patient was erased.";
        columns.push(("erasureReason", json!({ "type": "string", "description": reason })));
    }
    columns
}

fn operation() -> Value {
    let about = "What was asked for, where that was refused before it began.";
    json!({ "type": "string", "description": about })
}

fn times() -> Value {
    let about = "For how many refusals of a minute the row stands; of PRUNE, how many rows were \
                 ever removed.";
    json!({ "type": "integer", "format": "int64", "minimum": 1, "description": about })
}

fn parameters(trail: &Trail) -> Vec<Parameter> {
    let mut parameters = vec![
        Parameter::new("user", "Who did it.", id("A user.")),
        Parameter::new("action", "What was done.", code()),
        Parameter::new("outcome", "What came of it.", code()),
        Parameter::new("address", "Where it came from.", address("An address, or a network.")),
        Parameter::new("from", "The earliest moment.", moment()),
        Parameter::new("to", "The moment before which it was.", moment()),
    ];
    if trail.patients {
        let about = "Whom it was about, or whom a list has shown.";
        parameters.push(Parameter::new("patient", about, id("A patient.")));
    }
    if trail.break_glass {
        let about = "Whether a reason was given to see restricted patients.";
        let schema = json!({ "type": "boolean" });
        parameters.push(Parameter::new("breakGlass", about, schema));
    }
    parameters
}

fn id(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

fn address(description: &str) -> Value {
    json!({ "type": "string", "minLength": 2, "maxLength": 43, "description": description })
}

fn code() -> Value {
    json!({ "type": "string", "pattern": "^[A-Z_]{1,32}$" })
}

fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}
