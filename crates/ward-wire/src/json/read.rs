//! JSON → values. Fields go by their JSON name or by the name in the .proto file. A name that is
//! not known is refused: JSON is written by people, and a misspelt field would be lost without a
//! word.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value as Json};

use crate::decode::{Budget, RANGE, UNKNOWN_CASE, case, character, default_scalar};
use crate::limits::UNKNOWN_NAME_BYTES_MAX;
use crate::plan::{EnumPlan, FieldPlan, Kind, Label, MessagePlan, Shape};
use crate::{DecodeError, Value};

const BASE64: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BASE64);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BASE64);

/// Reads a message.
pub(crate) fn read(plan: &MessagePlan, json: &Json) -> Result<Value, DecodeError> {
    message(plan, json, &mut Budget::default())
}

fn message(plan: &MessagePlan, json: &Json, budget: &mut Budget) -> Result<Value, DecodeError> {
    let Json::Object(object) = json else { return Err(DecodeError::new("must be an object")) };
    match plan.shape {
        Shape::Record => fields(plan, object, budget).map(Value::Record),
        Shape::Tuple => fields(plan, object, budget).map(Value::Tuple),
        Shape::Wrapper => {
            let mut values = fields(plan, object, budget)?;
            values.pop().ok_or_else(|| DecodeError::new("has no field"))
        }
        Shape::Variant => {
            let (case, payload) = oneof(plan, object, budget)?;
            Ok(Value::Variant(case, payload))
        }
        Shape::Result => Ok(Value::Result(match oneof(plan, object, budget)? {
            (0, payload) => Ok(payload),
            (_, payload) => Err(payload),
        })),
    }
}

fn fields(
    plan: &MessagePlan,
    object: &Map<String, Json>,
    budget: &mut Budget,
) -> Result<Vec<Value>, DecodeError> {
    budget.spend(plan.fields.len())?;
    let mut slots: Vec<Option<&Json>> = plan.fields.iter().map(|_| None).collect();
    for (name, json) in object {
        let index = find(plan, name)?;
        // Null is as if it were not there.
        if let Some(slot) = slots.get_mut(index).filter(|_| !json.is_null()) {
            if slot.is_some() {
                return Err(DecodeError::new("is there under both of its names").within(name));
            }
            *slot = Some(json);
        }
    }
    let values = plan.fields.iter().zip(slots).map(|(f, json)| {
        let value = match json {
            Some(json) => field(f, json, budget),
            None => default(f, budget),
        };
        value.map_err(|error| error.within(&f.proto))
    });
    values.collect()
}

fn oneof(
    plan: &MessagePlan,
    object: &Map<String, Json>,
    budget: &mut Budget,
) -> Result<(u32, Option<Box<Value>>), DecodeError> {
    budget.spend(1)?;
    let mut set = None;
    for (name, json) in object {
        let index = find(plan, name)?;
        if !json.is_null() && set.replace((index, json)).is_some() {
            return Err(DecodeError::new("has more than one of its cases set"));
        }
    }
    let set = set.and_then(|(index, json)| Some((index, plan.fields.get(index)?, json)));
    let Some((index, field, json)) = set else {
        return Err(DecodeError::new("has none of its cases set"));
    };
    let value = match (&field.kind, json) {
        (Kind::Empty, Json::Object(empty)) => match empty.keys().next() {
            Some(name) => Err(unknown(name)),
            None => Ok(None),
        },
        (Kind::Empty, _) => Err(DecodeError::new("must be an empty object")),
        (kind, json) => single(kind, json, budget).map(Box::new).map(Some),
    };
    let case = u32::try_from(index).unwrap_or(u32::MAX);
    Ok((case, value.map_err(|error| error.within(&field.proto))?))
}

fn find(plan: &MessagePlan, name: &str) -> Result<usize, DecodeError> {
    let named = |field: &FieldPlan| field.json == name || field.proto == name;
    plan.fields.iter().position(named).ok_or_else(|| unknown(name))
}

/// A name is repeated to whoever sent it only if it looks like one: it might be a value in the
/// wrong place.
fn unknown(name: &str) -> DecodeError {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain && name.len() <= UNKNOWN_NAME_BYTES_MAX {
        DecodeError::new("is no field of the message").within(name)
    } else {
        DecodeError::new("has a field that is not known")
    }
}

fn default(field: &FieldPlan, budget: &mut Budget) -> Result<Value, DecodeError> {
    match field.label {
        Label::Optional => Ok(Value::Option(None)),
        Label::List => Ok(Value::List(Vec::new())),
        Label::Single => match &field.kind {
            Kind::Message(plan) => message(plan, &Json::Object(Map::new()), budget),
            kind => default_scalar(kind),
        },
    }
}

fn field(field: &FieldPlan, json: &Json, budget: &mut Budget) -> Result<Value, DecodeError> {
    match field.label {
        Label::Single => single(&field.kind, json, budget),
        Label::Optional => Ok(Value::Option(Some(Box::new(single(&field.kind, json, budget)?)))),
        Label::List => {
            let array = array(json)?;
            budget.spend(array.len())?;
            let elements = array.iter().enumerate();
            let values = elements.map(|(index, json)| {
                single(&field.kind, json, budget).map_err(|error| error.at(index))
            });
            Ok(Value::List(values.collect::<Result<_, _>>()?))
        }
    }
}

fn array(json: &Json) -> Result<&Vec<Json>, DecodeError> {
    json.as_array().ok_or_else(|| DecodeError::new("must be an array"))
}

fn single(kind: &Kind, json: &Json, budget: &mut Budget) -> Result<Value, DecodeError> {
    let range = |_| DecodeError::new(RANGE);
    Ok(match kind {
        Kind::Bool => match json {
            Json::Bool(value) => Value::Bool(*value),
            _ => return Err(DecodeError::new("must be true or false")),
        },
        Kind::S8 => Value::S8(integer(json)?.try_into().map_err(range)?),
        Kind::U8 => Value::U8(integer(json)?.try_into().map_err(range)?),
        Kind::S16 => Value::S16(integer(json)?.try_into().map_err(range)?),
        Kind::U16 => Value::U16(integer(json)?.try_into().map_err(range)?),
        Kind::S32 => Value::S32(integer(json)?.try_into().map_err(range)?),
        Kind::U32 => Value::U32(integer(json)?.try_into().map_err(range)?),
        Kind::S64 => Value::S64(integer(json)?.try_into().map_err(range)?),
        Kind::U64 => Value::U64(integer(json)?.try_into().map_err(range)?),
        Kind::F32 => Value::F32(single_precision(float(json)?)?),
        Kind::F64 => Value::F64(float(json)?),
        Kind::Char => character(text(json)?)?,
        Kind::String => Value::String(text(json)?.to_owned()),
        Kind::Bytes => Value::Bytes(bytes(text(json)?)?),
        Kind::Enum(plan) => Value::Enum(enumerated(plan, json)?),
        Kind::Flags(plan) => flags(plan, json)?,
        Kind::Message(plan) => message(plan, json, budget)?,
        Kind::Empty => return Err(DecodeError::new("must be an empty object")),
    })
}

fn text(json: &Json) -> Result<&str, DecodeError> {
    json.as_str().ok_or_else(|| DecodeError::new("must be a string"))
}

/// A whole number, also as a string and also written like `1e3` or `5.0`.
fn integer(json: &Json) -> Result<i128, DecodeError> {
    let malformed = || DecodeError::new("must be a whole number");
    let real = match json {
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => return Ok(i128::from(number)),
            (_, Some(number), _) => return Ok(i128::from(number)),
            (_, _, real) => real.ok_or_else(malformed)?,
        },
        Json::String(text) if is_number(text) => match text.parse() {
            Ok(number) => return Ok(number),
            Err(_) => text.parse::<f64>().map_err(|_| malformed())?,
        },
        _ => return Err(malformed()),
    };
    // Beyond 2^64 everything is out of range anyway.
    if real.fract() == 0.0 && real.abs() <= 18_446_744_073_709_551_616.0 {
        return Ok(real as i128);
    }
    Err(if real.fract() == 0.0 { DecodeError::new(RANGE) } else { malformed() })
}

/// Whether a string begins and ends as JSON's numbers do: no white space, no plus, no `inf`.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
}

fn float(json: &Json) -> Result<f64, DecodeError> {
    let malformed = || DecodeError::new("must be a number");
    match json {
        Json::Number(number) => number.as_f64().ok_or_else(malformed),
        Json::String(text) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text if is_number(text) => text.parse().map_err(|_| malformed()),
            _ => Err(malformed()),
        },
        _ => Err(malformed()),
    }
}

fn single_precision(value: f64) -> Result<f32, DecodeError> {
    let single = value as f32;
    if single.is_infinite() && value.is_finite() {
        Err(DecodeError::new(RANGE))
    } else {
        Ok(single)
    }
}

/// Both alphabets, with or without padding, as protobuf has it.
fn bytes(text: &str) -> Result<Vec<u8>, DecodeError> {
    let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    alphabet.decode(text).map_err(|_| DecodeError::new("is not base64"))
}

/// A case by its name or its number.
fn enumerated(plan: &EnumPlan, json: &Json) -> Result<u32, DecodeError> {
    match json {
        Json::String(name) if *name == plan.unspecified => case(plan, 0),
        Json::String(name) => {
            let index = plan.values.iter().position(|value| value == name);
            let index = index.and_then(|index| u32::try_from(index).ok());
            index.ok_or_else(|| DecodeError::new(UNKNOWN_CASE))
        }
        Json::Number(_) => {
            let number = i32::try_from(integer(json)?);
            case(plan, number.map_err(|_| DecodeError::new(UNKNOWN_CASE))?)
        }
        _ => Err(DecodeError::new("must be the name of one of its cases")),
    }
}

fn flags(plan: &EnumPlan, json: &Json) -> Result<Value, DecodeError> {
    let mut set = vec![false; plan.values.len()];
    for (index, json) in array(json)?.iter().enumerate() {
        let flag = enumerated(plan, json).map_err(|error| error.at(index))? as usize;
        if let Some(flag) = set.get_mut(flag) {
            *flag = true;
        }
    }
    Ok(Value::Flags(set))
}
