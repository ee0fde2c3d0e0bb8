//! OpenAPI 3.1 documents out of what components are made of: the table that routes their requests
//! ([`kit::route`]), what their readers ask for ([`kit::describe`]), the types they answer with.
//!
//! A component describes itself in a test, which keeps the document in `docs/api` and fails when
//! that is stale. Nothing here is linked into what is served. What a table has and nobody described
//! is a finding and makes no document: a new operation cannot be left out.
#![expect(
    clippy::indexing_slicing,
    reason = "a library of tests: the members of objects of JSON are made by naming them"
)]

mod about;
mod operation;
mod problems;
mod schema;
mod trail;

use std::collections::{BTreeMap, BTreeSet};

use kit::describe::Asked;
use kit::route::{Content, Operation, Scope, Takes};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub use about::{About, Parameter};

/// The version that documents are written for.
const VERSION: &str = "3.1.1";
/// Where schemas are.
const SCHEMAS: &str = "#/components/schemas/";

/// What a component says of itself.
#[derive(Debug)]
pub struct Api {
    title: &'static str,
    description: &'static str,
    types: SchemaGenerator,
    /// The documents that operations take and answer with.
    documents: BTreeMap<&'static str, Described>,
    operations: BTreeMap<&'static str, About>,
    findings: Vec<String>,
}

/// A document of the API.
#[derive(Debug)]
struct Described {
    schema: Value,
    example: Value,
}

impl Api {
    /// An API with nothing in it.
    pub fn new(title: &'static str, description: &'static str) -> Self {
        Self {
            title,
            description,
            types: schema::generator(),
            documents: BTreeMap::new(),
            operations: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// Describes a document that is answered with: by its type.
    #[must_use]
    pub fn answer<T: JsonSchema>(mut self, document: &'static str, example: Value) -> Self {
        let schema = self.types.subschema_for::<T>().to_value();
        self.documents.insert(document, Described { schema, example });
        self
    }

    /// Describes a document that is taken: by what its reader asks for. `shapes` say what there is
    /// to say of fields, by their names with slashes between, and have to for those that are read
    /// by rules of the component's own.
    #[must_use]
    pub fn body(
        mut self,
        document: &'static str,
        asked: &[Asked],
        shapes: &[(&str, Value)],
        example: Value,
    ) -> Self {
        let schema = schema::object(document, asked, shapes, &mut self.findings);
        self.documents.insert(document, Described { schema, example });
        self
    }

    /// Describes an operation of the table.
    #[must_use]
    pub fn operation(mut self, name: &'static str, about: About) -> Self {
        self.operations.insert(name, about);
        self
    }

    /// The document, as text; or everything that is missing for it.
    pub fn document(
        mut self,
        table: impl Iterator<Item = &'static Operation>,
    ) -> Result<String, Vec<String>> {
        let table: Vec<&Operation> = table.collect();
        self.look_over(&table);
        let mut paths = Map::new();
        for operation in &table {
            let Some(about) = self.operations.get(operation.name) else { continue };
            let written =
                operation::written(operation, about, &table, &self.documents, &mut self.findings);
            let path = paths.entry(operation.pattern).or_insert_with(|| operation::path(operation));
            if let Value::Object(path) = path {
                path.insert(operation.verb.as_str().to_lowercase(), written);
            }
        }
        let mut document = json!({
            "openapi": VERSION,
            "info": {
                "title": self.title,
                "description": self.description,
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/", "description": "Where this document comes from" }],
            "tags": tags(&table, self.description),
            "paths": paths,
        });
        document["components"] = self.components(&document);
        if self.findings.is_empty() { Ok(format!("{document:#}\n")) } else { Err(self.findings) }
    }

    /// Everything that the table has and that is described has to be the same.
    fn look_over(&mut self, table: &[&Operation]) {
        let names: BTreeSet<&str> = table.iter().map(|operation| operation.name).collect();
        let described: BTreeSet<&str> = self.operations.keys().copied().collect();
        for name in names.difference(&described) {
            self.findings.push(format!("the operation {name} is not described"));
        }
        for name in described.difference(&names) {
            self.findings.push(format!("there is no operation {name}"));
        }
        let used: BTreeSet<&str> =
            table.iter().flat_map(|operation| documents(operation)).collect();
        for document in used.iter().filter(|name| !self.documents.contains_key(**name)) {
            self.findings.push(format!("the document {document} has neither schema nor example"));
        }
        for document in self.documents.keys().filter(|name| !used.contains(**name)) {
            self.findings.push(format!("nothing takes or answers with the document {document}"));
        }
    }

    /// Schemas, the responses that paths refer to, and how one says who one is.
    fn components(&mut self, document: &Value) -> Value {
        let mut schemas = self.types.take_definitions(true);
        for (name, described) in &self.documents {
            // A type that is named as its document is among the definitions already.
            let own = described.schema == schema::reference(name);
            let other = !own && schemas.contains_key(*name);
            if other {
                self.findings.push(format!("{name} is the name of a document and of another type"));
            } else if !own {
                schemas.insert((*name).to_owned(), described.schema.clone());
            }
        }
        schemas.insert("Problem".to_owned(), problems::schema());
        let paths = document.to_string();
        json!({
            "schemas": schemas,
            "responses": problems::responses(&paths),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The token that `POST /auth/login` answers with.",
                },
            },
        })
    }
}

/// The documents that an operation takes and answers with.
fn documents(operation: &Operation) -> impl Iterator<Item = &'static str> {
    let taken = match operation.takes {
        Takes::Json { document, .. } => Some(document),
        Takes::Nothing => None,
    };
    let answered = operation.answers.iter().filter_map(|answer| match answer.content {
        Content::Json(document) | Content::Events(document) => Some(document),
        _ => None,
    });
    taken.into_iter().chain(answered)
}

/// The first parts of the operations' names: mostly one, and what the API is about.
fn tags(table: &[&Operation], description: &str) -> Vec<Value> {
    let names: BTreeSet<&str> = table.iter().map(|operation| operation.tag()).collect();
    names.into_iter().map(|name| json!({ "name": name, "description": description })).collect()
}

/// What a caller has to have, as documents say it.
fn security(scope: Scope, about: &About) -> Value {
    match scope {
        Scope::Needs(scope) => json!([{ "bearer": [scope] }]),
        Scope::Known => json!([{ "bearer": [] }]),
        Scope::Public if about.own_token => json!([{ "bearer": [] }]),
        Scope::Public => json!([]),
    }
}

#[cfg(test)]
mod tests;
