//! Values → JSON. Every field is written, also if it is the default, so that a reader sees what
//! there is; only an `option` that is not set is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use crate::plan::{EnumPlan, FieldPlan, Kind, Label, MessagePlan, Shape};
use crate::{Mismatch, Value};

/// The JSON form of a message.
pub(crate) fn write(plan: &MessagePlan, value: &Value) -> Result<Json, Mismatch> {
    let mut object = Map::new();
    match (plan.shape, value) {
        (Shape::Record, Value::Record(values)) | (Shape::Tuple, Value::Tuple(values)) => {
            if values.len() != plan.fields.len() {
                return Err(Mismatch);
            }
            for (f, value) in plan.fields.iter().zip(values) {
                field(f, value, &mut object)?;
            }
        }
        (Shape::Wrapper, value) => {
            field(plan.fields.first().ok_or(Mismatch)?, value, &mut object)?;
        }
        (Shape::Variant, Value::Variant(index, payload)) => {
            case(plan, *index as usize, payload.as_deref(), &mut object)?;
        }
        (Shape::Result, Value::Result(Ok(payload))) => {
            case(plan, 0, payload.as_deref(), &mut object)?;
        }
        (Shape::Result, Value::Result(Err(payload))) => {
            case(plan, 1, payload.as_deref(), &mut object)?;
        }
        _ => return Err(Mismatch),
    }
    Ok(Json::Object(object))
}

fn case(
    plan: &MessagePlan,
    index: usize,
    payload: Option<&Value>,
    object: &mut Map<String, Json>,
) -> Result<(), Mismatch> {
    let field = plan.fields.get(index).ok_or(Mismatch)?;
    let json = match (&field.kind, payload) {
        (Kind::Empty, None) => Json::Object(Map::new()),
        (Kind::Empty, Some(_)) | (_, None) => return Err(Mismatch),
        (kind, Some(payload)) => single(kind, payload)?,
    };
    object.insert(field.json.clone(), json);
    Ok(())
}

fn field(field: &FieldPlan, value: &Value, object: &mut Map<String, Json>) -> Result<(), Mismatch> {
    let json = match (field.label, value) {
        (Label::Single, value) => single(&field.kind, value)?,
        (Label::Optional, Value::Option(None)) => return Ok(()),
        (Label::Optional, Value::Option(Some(value))) => single(&field.kind, value)?,
        (Label::List, Value::List(values)) => {
            let values: Result<_, _> = values.iter().map(|v| single(&field.kind, v)).collect();
            Json::Array(values?)
        }
        _ => return Err(Mismatch),
    };
    object.insert(field.json.clone(), json);
    Ok(())
}

fn single(kind: &Kind, value: &Value) -> Result<Json, Mismatch> {
    Ok(match (kind, value) {
        (Kind::Bool, Value::Bool(value)) => Json::Bool(*value),
        (Kind::S8, Value::S8(value)) => Json::from(*value),
        (Kind::U8, Value::U8(value)) => Json::from(*value),
        (Kind::S16, Value::S16(value)) => Json::from(*value),
        (Kind::U16, Value::U16(value)) => Json::from(*value),
        (Kind::S32, Value::S32(value)) => Json::from(*value),
        (Kind::U32, Value::U32(value)) => Json::from(*value),
        (Kind::S64, Value::S64(value)) => Json::from(value.to_string()),
        (Kind::U64, Value::U64(value)) => Json::from(value.to_string()),
        (Kind::F32, Value::F32(value)) => float(f64::from(*value)),
        (Kind::F64, Value::F64(value)) => float(*value),
        (Kind::Char, Value::Char(value)) => Json::from(value.to_string()),
        (Kind::String, Value::String(value)) => Json::from(value.as_str()),
        (Kind::Bytes, Value::Bytes(value)) => Json::from(STANDARD.encode(value)),
        (Kind::Enum(plan), Value::Enum(case)) => name(plan, *case as usize)?,
        (Kind::Flags(plan), Value::Flags(set)) if set.len() == plan.values.len() => {
            let raised = set.iter().enumerate().filter(|(_, raised)| **raised);
            Json::Array(raised.map(|(index, _)| name(plan, index)).collect::<Result<_, _>>()?)
        }
        (Kind::Message(plan), value) => write(plan, value)?,
        _ => return Err(Mismatch),
    })
}

fn name(plan: &EnumPlan, case: usize) -> Result<Json, Mismatch> {
    plan.values.get(case).map(|name| Json::from(name.as_str())).ok_or(Mismatch)
}

/// What JSON has no numbers for are strings.
fn float(value: f64) -> Json {
    if value.is_nan() {
        Json::from("NaN")
    } else if value.is_infinite() {
        Json::from(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        Json::from(value)
    }
}
