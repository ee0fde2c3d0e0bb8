//! One operation of the table, written down.

use std::collections::{BTreeMap, BTreeSet};

use kit::describe::Asked;
use kit::page::{LIMIT_DEFAULT, LIMIT_MAX};
use kit::route::{Answers, Content, Operation, Scope, Takes, Verb};
use serde_json::{Map, Value, json};

use crate::about::{About, Parameter};
use crate::{Described, problems, schema, security};

/// What all operations of a path have in common.
pub(crate) fn path(operation: &Operation) -> Value {
    let parameters: Vec<Value> = operation
        .parameters()
        .map(|name| {
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": "An id, as answers have it.",
                "schema": { "type": "string", "format": "uuid" },
            })
        })
        .collect();
    if parameters.is_empty() { json!({}) } else { json!({ "parameters": parameters }) }
}

/// The operation as documents have it.
pub(crate) fn written(
    operation: &Operation,
    about: &About,
    table: &[&Operation],
    documents: &BTreeMap<&'static str, Described>,
    findings: &mut Vec<String>,
) -> Value {
    let mut written = json!({
        "operationId": operation.name,
        "tags": [operation.tag()],
        "summary": about.summary,
        "description": description(operation, about),
        "security": security(operation.scope, about),
        "responses": responses(operation, about, table, documents, findings),
    });
    let mut parameters = query(operation.name, about, findings);
    parameters.extend(conditions(operation, about));
    parameters.extend(about.headers.iter().map(|header| parameter(header, "header")));
    if !parameters.is_empty() {
        written["parameters"] = parameters.into();
    }
    if let Takes::Json { document, bytes_max } = operation.takes {
        let Some(described) = documents.get(document) else { return written };
        written["requestBody"] = json!({
            "required": true,
            "description": format!("At most {bytes_max} bytes."),
            "content": { "application/json": content(document, described) },
        });
    }
    written
}

fn description(operation: &Operation, about: &About) -> String {
    match operation.scope {
        Scope::Needs(scope) => format!("{}\n\nTakes the scope `{scope}`.", about.description),
        Scope::Known => format!("{}\n\nTakes a token, whatever it allows.", about.description),
        Scope::Public => about.description.to_owned(),
    }
}

fn content(document: &str, described: &Described) -> Value {
    json!({ "schema": schema::reference(document), "example": described.example })
}

/// What is asked of the query, in the words of whoever described it; `limit` and `after` are the
/// same everywhere.
fn query(operation: &str, about: &About, findings: &mut Vec<String>) -> Vec<Value> {
    let mut described: Vec<&Parameter> = about.parameters.iter().collect();
    let common = [limit(), after()];
    let mut written = Vec::new();
    for Asked { name, .. } in &about.asked {
        let at = described.iter().position(|one| one.name == name);
        let own = at.map(|at| described.remove(at));
        match own.or_else(|| common.iter().find(|one| one.name == name)) {
            Some(found) => written.push(parameter(found, "query")),
            None => findings.push(format!("{operation}: the parameter {name} is not described")),
        }
    }
    let left =
        described.iter().map(|one| format!("{operation}: no parameter {} is read", one.name));
    findings.extend(left);
    written
}

fn limit() -> Parameter {
    let schema = json!({
        "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT,
    });
    Parameter::new("limit", "How many there are on a page.", schema)
}

fn after() -> Parameter {
    let schema = json!({ "type": "string", "format": "cursor" });
    Parameter::new("after", "Where the page begins: taken from the `Link` of another one.", schema)
}

fn conditions(operation: &Operation, about: &About) -> Vec<Value> {
    let tags = json!({ "type": "string", "format": "entity-tags" });
    let known = "Entity tags that the client has; with one that is current the answer is 304.";
    let among = "Entity tags of which one has to be current, or `*`.";
    let besides = "Entity tags of which none may be current.";
    let headers = match (operation.verb, about) {
        (Verb::Get, About { tagged: true, .. }) => vec![("If-None-Match", known, false)],
        (_, About { conditional: true, .. }) => {
            vec![("If-Match", among, about.demanding), ("If-None-Match", besides, false)]
        }
        _ => Vec::new(),
    };
    let written = |(name, description, required)| {
        let header = Parameter::new(name, description, tags.clone()).example(json!("\"1\""));
        parameter(&Parameter { required, ..header }, "header")
    };
    headers.into_iter().map(written).collect()
}

fn parameter(parameter: &Parameter, place: &str) -> Value {
    let mut written = json!({
        "name": parameter.name,
        "in": place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    });
    if parameter.deprecated {
        written["deprecated"] = true.into();
    }
    if let Some(example) = &parameter.example {
        written["example"] = example.clone();
    }
    written
}

/// Everything it may answer, by status.
fn responses(
    operation: &Operation,
    about: &About,
    table: &[&Operation],
    documents: &BTreeMap<&'static str, Described>,
    findings: &mut Vec<String>,
) -> Map<String, Value> {
    let mut responses = Map::new();
    for answer in operation.answers {
        let written = success(operation, about, answer, table, documents);
        responses.insert(answer.status.as_str().to_owned(), written);
    }
    if operation.verb == Verb::Get && about.tagged {
        let headers = json!({ "ETag": etag() });
        let unchanged = json!({ "description": "Nothing has changed.", "headers": headers });
        responses.insert("304".to_owned(), unchanged);
    }
    for status in refusals(operation, about) {
        match problems::reference(status) {
            Some(reference) => drop(responses.insert(status.to_string(), reference)),
            None => findings.push(format!("{}: no problem has status {status}", operation.name)),
        }
    }
    responses
}

/// The statuses of problems: those of its kind, and its own.
fn refusals(operation: &Operation, about: &About) -> BTreeSet<u16> {
    let mut all = BTreeSet::from(problems::ANYWHERE);
    all.extend(&about.refusals);
    // Any query is read strictly.
    all.insert(400);
    match operation.scope {
        Scope::Needs(_) => all.extend([401, 403]),
        Scope::Known => drop(all.insert(401)),
        Scope::Public => {}
    }
    if operation.takes != Takes::Nothing {
        all.extend(problems::ABOUT_BODIES);
    }
    if operation.parameters().next().is_some() {
        all.insert(404);
    }
    if about.conditional {
        all.insert(412);
    }
    if about.demanding {
        all.insert(428);
    }
    if about.own_token {
        all.insert(401);
    }
    all
}

fn success(
    operation: &Operation,
    about: &About,
    answer: &Answers,
    table: &[&Operation],
    documents: &BTreeMap<&'static str, Described>,
) -> Value {
    let reason = answer.status.canonical_reason().unwrap_or_default();
    let mut written = json!({ "description": reason });
    match answer.content {
        Content::Json(document) => {
            let Some(described) = documents.get(document) else { return written };
            written["content"] = json!({ "application/json": content(document, described) });
        }
        Content::Events(document) => {
            let Some(described) = documents.get(document) else { return written };
            let example = format!("id: 1\ndata: {}\n\n", described.example);
            let about = format!("Server-sent events. The data of each is a `{document}`.");
            written["content"] = json!({ "text/event-stream": {
                "schema": { "type": "string", "description": about }, "example": example,
            }});
        }
        Content::Nothing => {}
        Content::Text(media) => written["content"] = json!({ media: {} }),
    }
    let headers = headers(about, answer);
    if !headers.is_empty() {
        written["headers"] = headers.into();
    }
    let links = links(operation, answer, table);
    if !links.is_empty() {
        written["links"] = links.into();
    }
    written
}

fn headers(about: &About, answer: &Answers) -> Map<String, Value> {
    let mut headers = Map::new();
    if about.tagged {
        headers.insert("ETag".to_owned(), etag());
    }
    if about.paged {
        let link = "`<…>; rel=\"next\"` while there is more (RFC 8288).";
        headers.insert("Link".to_owned(), text(link));
    }
    if about.tagged && answer.status.as_u16() == 201 {
        headers.insert("Location".to_owned(), text("Where it is."));
    }
    headers
}

fn etag() -> Value {
    text("The version, in quotes.")
}

fn text(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

/// From what was made to everything that can be done with it: what is one segment below, or more.
fn links(operation: &Operation, answer: &Answers, table: &[&Operation]) -> Map<String, Value> {
    let one = format!("{}/{{id}}", operation.pattern);
    let made = operation.verb == Verb::Post && answer.status.as_u16() == 201;
    let below = table.iter().filter(|it| made && it.pattern.starts_with(&one));
    let link = |it: &&Operation| {
        let link = json!({
            "operationId": it.name,
            "parameters": { "id": "$response.body#/id" },
        });
        (it.name.to_owned(), link)
    };
    below.map(link).collect()
}
