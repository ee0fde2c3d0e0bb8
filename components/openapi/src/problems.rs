//! Refusals: one shape for all, and one response for each status.

use kit::page::LIMIT_MAX;
use serde_json::{Map, Value, json};

/// A status, the name of its response, the slug of an example, and when it is answered.
type Row = (u16, &'static str, &'static str, &'static str);

/// Every status with which somebody refuses.
const ROWS: [Row; 15] = [
    (400, "BadRequest", "validation-failed", "Something in the request has to be corrected."),
    (401, "Unauthorized", "unauthorized", "There is no token, or none that is good."),
    (403, "Forbidden", "forbidden", "The caller is known and may not do this."),
    (404, "NotFound", "not-found", "There is nothing here, or no longer."),
    (408, "RequestTimeout", "request-timeout", "The body did not arrive in time."),
    (409, "Conflict", "conflict", "The request conflicts with what is stored."),
    (412, "PreconditionFailed", "precondition-failed", "The version is not one that was named."),
    (413, "ContentTooLarge", "body-too-large", "The body is too large."),
    (415, "UnsupportedMediaType", "unsupported-media-type", "The body is not JSON in UTF-8."),
    (422, "UnprocessableContent", "idempotency-key-reused", "The key is another request's."),
    (428, "PreconditionRequired", "precondition-required", "The request has to have `If-Match`."),
    (429, "TooManyRequests", "too-many-attempts", "It is too early for another try."),
    (500, "InternalServerError", "internal", "Something went wrong; the log knows `instance`."),
    (503, "ServiceUnavailable", "unavailable", "The same request may succeed in a moment."),
    (504, "GatewayTimeout", "deadline-exceeded", "It took too long."),
];

/// What any operation may answer, whatever it does.
pub(crate) const ANYWHERE: [u16; 3] = [500, 503, 504];
/// What an operation that takes a document may answer.
pub(crate) const ABOUT_BODIES: [u16; 4] = [400, 408, 413, 415];

/// A reference to the response with this status, if it is one of ours.
pub(crate) fn reference(status: u16) -> Option<Value> {
    let row = ROWS.iter().find(|row| row.0 == status);
    row.map(|(_, name, ..)| json!({ "$ref": format!("#/components/responses/{name}") }))
}

/// The responses that are referred to in this text.
pub(crate) fn responses(text: &str) -> Map<String, Value> {
    let used = ROWS.iter().filter(|row| text.contains(&format!("/responses/{}\"", row.1)));
    used.map(|row| (row.1.to_owned(), response(row))).collect()
}

fn response((status, _, slug, when): &Row) -> Value {
    let mut example = json!({
        "type": format!("urn:ward:problem:{slug}"),
        "title": when.trim_end_matches('.'),
        "status": status,
        "instance": "urn:uuid:0198a3c0-7e1b-7c3a-9d52-0123456789ab",
    });
    if *status == 400 {
        let limit = format!("must be a number from 1 to {LIMIT_MAX}");
        example["errors"] = json!([{ "parameter": "limit", "detail": limit }]);
    }
    let mut response = json!({
        "description": when,
        "content": {
            "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "example": example,
            },
        },
    });
    if let Some((name, header)) = header(*status) {
        response["headers"] = json!({ name: header });
    }
    response
}

fn header(status: u16) -> Option<(&'static str, Value)> {
    let seconds = json!({
        "description": "Seconds to wait before the next try.",
        "schema": { "type": "integer", "minimum": 0 },
    });
    let challenge = json!({
        "description": "How to say who one is (RFC 6750).",
        "schema": { "type": "string" },
    });
    match status {
        401 => Some(("WWW-Authenticate", challenge)),
        429 | 503 => Some(("Retry-After", seconds)),
        _ => None,
    }
}

/// The schema of problem documents.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "description": "Why there is no other answer (RFC 9457).",
        "properties": {
            "type": {
                "type": "string",
                "format": "uri",
                "description": "`urn:ward:problem:` and a word that programs can rely on.",
            },
            "title": { "type": "string", "description": "The same for each of its type." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "A sentence about this one." },
            "instance": {
                "type": "string",
                "format": "uri",
                "description": "The request's id, under which the log may know more.",
            },
            "errors": {
                "type": "array",
                "description": "All that is wrong, place by place.",
                "items": {
                    "type": "object",
                    "properties": {
                        "pointer": {
                            "type": "string",
                            "description": "Where in the body: a JSON pointer (RFC 6901).",
                        },
                        "parameter": { "type": "string", "description": "Which of the query." },
                        "detail": { "type": "string", "description": "What is expected there." },
                    },
                    "required": ["detail"],
                    "oneOf": [{ "required": ["pointer"] }, { "required": ["parameter"] }],
                },
            },
        },
        "required": ["type", "title", "status"],
    })
}

#[cfg(test)]
mod tests {
    use super::ROWS;

    #[test]
    fn every_example_is_in_the_table_of_types() {
        let table = include_str!("../../../docs/errors.md");
        for (status, _, slug, _) in ROWS {
            assert!(table.contains(&format!("| `{slug}` | {status} |")), "{slug} {status}");
        }
    }
}
