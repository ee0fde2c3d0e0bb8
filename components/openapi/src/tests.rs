//! What becomes a document, and what does not.

use kit::describe::asked;
use kit::fields::Fields;
use kit::query::Query;
use kit::route::{Answers, Operation, Scope, Takes, Verb};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::*;

/// A thing.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
struct Thing {
    /// How many.
    number: i64,
    more: Option<String>,
}

const OK: http::StatusCode = http::StatusCode::OK;

static LIST: Operation = Operation {
    name: "things.list",
    verb: Verb::Get,
    pattern: "/things",
    scope: Scope::Needs("things:read"),
    takes: Takes::Nothing,
    answers: &[Answers::json(OK, "Things")],
};

static CREATE: Operation = Operation {
    name: "things.create",
    verb: Verb::Post,
    pattern: "/things",
    scope: Scope::Needs("things:write"),
    takes: Takes::json("NewThing"),
    answers: &[Answers::json(http::StatusCode::CREATED, "Thing")],
};

static READ: Operation = Operation {
    name: "things.read",
    verb: Verb::Get,
    pattern: "/things/{id}",
    scope: Scope::Public,
    takes: Takes::Nothing,
    answers: &[Answers::json(OK, "Thing")],
};

fn read_body() -> Option<()> {
    let mut fields = Fields::new(json!({})).ok()?;
    fields.text("name", 7);
    fields.optional("kind", |fields, name| fields.parsed(name, |_| Ok::<_, &str>(())));
    fields.finish().ok()
}

fn read_query() -> Option<()> {
    let mut query = Query::parse("").ok()?;
    kit::page::limit(&mut query);
    query.take("colour");
    query.finish().ok()
}

fn colour() -> Parameter {
    Parameter::new("colour", "Which.", json!({ "type": "string" }))
}

fn whole() -> Api {
    let thing = json!({ "number": 1, "more": null });
    Api::new("Things", "All of them.")
        .answer::<Thing>("Thing", thing.clone())
        .answer::<Vec<Thing>>("Things", json!([thing]))
        .body(
            "NewThing",
            &asked(read_body),
            &[("kind", json!({ "enum": ["a", "b"] }))],
            json!({ "name": "x" }),
        )
        .operation(
            "things.list",
            About::new("List", "All.").query(asked(read_query), vec![colour()]),
        )
        .operation("things.create", About::new("Create", "One.").tagged().refuses(&[409]))
        .operation("things.read", About::new("Read", "One.").tagged())
}

fn document(api: Api) -> Result<Value, Vec<String>> {
    let text = api.document([&LIST, &CREATE, &READ].into_iter())?;
    Ok(serde_json::from_str(&text).unwrap())
}

#[test]
fn a_table_becomes_a_document() {
    let document = document(whole()).unwrap();
    let create = &document["paths"]["/things"]["post"];
    assert_eq!(create["security"], json!([{ "bearer": ["things:write"] }]));
    let link = &create["responses"]["201"]["links"]["things.read"];
    assert_eq!(link["parameters"], json!({ "id": "$response.body#/id" }));
    let statuses: Vec<_> = create["responses"].as_object().unwrap().keys().cloned().collect();
    let refusals = ["400", "401", "403", "408", "409", "413", "415", "500", "503", "504"];
    assert_eq!(statuses, [&["201"], &refusals[..]].concat());
    let schema = &document["components"]["schemas"]["NewThing"];
    let expected = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "format": "line", "minLength": 1, "maxLength": 7 },
            "kind": { "type": ["string", "null"], "enum": ["a", "b", null] },
        },
        "required": ["name"],
        "additionalProperties": false,
    });
    assert_eq!(*schema, expected);
    let read = &document["paths"]["/things/{id}"];
    assert_eq!(read["parameters"][0]["name"], "id");
    assert!(read["get"]["responses"]["304"].is_object());
    assert_eq!(read["get"]["security"], json!([]));
    let parameters = document["paths"]["/things"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<_> = parameters.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["limit", "colour"]);
    assert_eq!(document["components"]["schemas"]["Thing"]["required"], json!(["number", "more"]));
}

#[test]
fn what_is_not_described_is_found() {
    let check = |api: Api, expected: &[&str]| {
        assert_eq!(document(api).unwrap_err(), expected);
    };
    let mut api = whole();
    api.operations.remove("things.read");
    check(api, &["the operation things.read is not described"]);
    let mut api = whole();
    api.documents.remove("NewThing");
    check(api, &["the document NewThing has neither schema nor example"]);
    let other = whole().operation("things.burn", About::new("Burn", "It."));
    check(other, &["there is no operation things.burn"]);
    let other = whole().answer::<Thing>("Ash", json!({}));
    check(other, &["nothing takes or answers with the document Ash"]);
    let other = whole()
        .operation("things.list", About::new("List", "All.").query(asked(read_query), vec![]));
    check(other, &["things.list: the parameter colour is not described"]);
    let other =
        whole().operation("things.list", About::new("List", "All.").query(vec![], vec![colour()]));
    check(other, &["things.list: no parameter colour is read"]);
    let other = whole().body("NewThing", &asked(read_body), &[("size", json!({}))], json!({}));
    check(other, &["NewThing: the field kind needs a shape", "NewThing: there is no field size"]);
    let other = whole().operation("things.read", About::new("Read", "One.").refuses(&[418]));
    check(other, &["things.read: no problem has status 418"]);
}
