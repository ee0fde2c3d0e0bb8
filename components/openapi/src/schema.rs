//! Schemas: of types that are answered with, and of what readers ask for.

use kit::describe::{Asked, Kind};
use schemars::generate::{Contract, SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::SCHEMAS;

/// What makes schemas out of types, as they are written.
pub(crate) fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.contract = Contract::Serialize;
        settings.definitions_path = SCHEMAS.trim_start_matches('#').trim_end_matches('/').into();
        settings.meta_schema = None;
    });
    settings.into_generator()
}

/// A schema that stands elsewhere.
pub(crate) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{SCHEMAS}{name}") })
}

/// The schema of an object with these fields and no others. What `shapes` leave open, or say of
/// nothing, is a finding.
pub(crate) fn object(
    document: &str,
    asked: &[Asked],
    shapes: &[(&str, Value)],
    findings: &mut Vec<String>,
) -> Value {
    let mut unused: Vec<&str> = shapes.iter().map(|(path, _)| *path).collect();
    let schema = fields("", asked, &mut |path: &str, kind: &Kind| {
        unused.retain(|other| *other != path);
        let shape = shapes.iter().find(|(other, _)| *other == path).map(|(_, shape)| shape);
        if shape.is_none() && matches!(kind, Kind::Text | Kind::Integer) {
            findings.push(format!("{document}: the field {path} needs a shape"));
        }
        shape.cloned()
    });
    findings.extend(unused.iter().map(|path| format!("{document}: there is no field {path}")));
    schema
}

fn fields(
    within: &str,
    asked: &[Asked],
    shape: &mut dyn FnMut(&str, &Kind) -> Option<Value>,
) -> Value {
    let mut properties = Map::new();
    // A reader may take its query, too.
    let asked = || asked.iter().filter(|one| one.kind != Kind::Parameter);
    for one in asked() {
        let path = format!("{within}{}", one.name);
        let mut schema = field(&path, &one.kind, shape);
        if let (Value::Object(schema), Some(Value::Object(shape))) =
            (&mut schema, shape(&path, &one.kind))
        {
            schema.extend(shape);
        }
        if !one.required {
            or_null(&mut schema);
        }
        properties.insert(one.name.clone(), schema);
    }
    let required: Vec<&str> =
        asked().filter(|one| one.required).map(|one| one.name.as_str()).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Texts have formats of our own, `line` and `lines`: what is in one is more than a pattern says.
fn field(path: &str, kind: &Kind, shape: &mut dyn FnMut(&str, &Kind) -> Option<Value>) -> Value {
    match kind {
        Kind::Line { max_chars } => text("line", *max_chars),
        Kind::Lines { max_chars } => text("lines", *max_chars),
        Kind::Secret { max_bytes } => text("password", *max_bytes),
        Kind::Email => text("email", kit::email::MAX_CHARS),
        Kind::EmailOrBlank => json!({ "type": "string", "format": "email" }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Text | Kind::Parameter => json!({ "type": "string" }),
        Kind::Truth => json!({ "type": "boolean" }),
        Kind::Integer => json!({ "type": "integer", "format": "int64" }),
        Kind::Object(asked) => fields(&format!("{path}/"), asked, shape),
        Kind::PassedOver => json!({}),
    }
}

fn text(format: &str, max: usize) -> Value {
    json!({ "type": "string", "format": format, "minLength": 1, "maxLength": max })
}

/// What may be missing may be null.
fn or_null(schema: &mut Value) {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.clone(), "null"]);
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
}
