//! Values → bytes, by a message's plan, in one pass. Fields are written in order of their numbers;
//! what is the default of a field without presence is left out, numbers in lists are packed: the
//! bytes that protobuf's own libraries write.

use crate::plan::{FieldPlan, Kind, Label, MessagePlan, Shape, Wire};
use crate::{Mismatch, Value};

/// Writes a value behind what `out` holds. After an error, `out` holds no more than before.
pub(crate) fn encode(plan: &MessagePlan, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let start = out.len();
    let written = message(plan, value, out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn message(plan: &MessagePlan, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match (plan.shape, value) {
        (Shape::Record, Value::Record(values)) | (Shape::Tuple, Value::Tuple(values)) => {
            if values.len() != plan.fields.len() {
                return Err(Mismatch);
            }
            plan.fields.iter().zip(values).try_for_each(|(f, value)| field(f, value, out))
        }
        (Shape::Wrapper, value) => field(plan.fields.first().ok_or(Mismatch)?, value, out),
        (Shape::Variant, Value::Variant(index, payload)) => {
            case(plan, *index as usize, payload.as_deref(), out)
        }
        (Shape::Result, Value::Result(Ok(payload))) => case(plan, 0, payload.as_deref(), out),
        (Shape::Result, Value::Result(Err(payload))) => case(plan, 1, payload.as_deref(), out),
        _ => Err(Mismatch),
    }
}

fn case(
    plan: &MessagePlan,
    index: usize,
    payload: Option<&Value>,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    let field = plan.fields.get(index).ok_or(Mismatch)?;
    match (&field.kind, payload) {
        (Kind::Empty, None) => {
            tag(field.number, Wire::Bytes, out);
            out.push(0);
            Ok(())
        }
        (Kind::Empty, Some(_)) | (_, None) => Err(Mismatch),
        (_, Some(payload)) => put(field, payload, out),
    }
}

fn field(field: &FieldPlan, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match (field.label, value) {
        (Label::Single, value) if is_default(value) => check(&field.kind, value),
        (Label::Single, value) => put(field, value, out),
        (Label::Optional, Value::Option(None)) => Ok(()),
        (Label::Optional, Value::Option(Some(value))) => put(field, value, out),
        (Label::List, Value::List(values)) if values.is_empty() => Ok(()),
        (Label::List, Value::List(values)) if field.kind.wire() == Wire::Bytes => {
            values.iter().try_for_each(|value| put(field, value, out))
        }
        (Label::List, Value::List(values)) => delimited(field.number, out, |out| {
            values.iter().try_for_each(|value| scalar(&field.kind, value, out))
        }),
        _ => Err(Mismatch),
    }
}

/// Whether a value is what a reader takes for missing. Of a floating-point number it is the bits
/// that count: minus zero is no default.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::S8(value) => *value == 0,
        Value::U8(value) => *value == 0,
        Value::S16(value) => *value == 0,
        Value::U16(value) => *value == 0,
        Value::S32(value) => *value == 0,
        Value::U32(value) => *value == 0,
        Value::S64(value) => *value == 0,
        Value::U64(value) => *value == 0,
        Value::F32(value) => value.to_bits() == 0,
        Value::F64(value) => value.to_bits() == 0,
        Value::String(value) => value.is_empty(),
        Value::Bytes(value) => value.is_empty(),
        _ => false,
    }
}

/// Whether a default that is not written is at least of the right type.
fn check(kind: &Kind, value: &Value) -> Result<(), Mismatch> {
    let fits = matches!(
        (kind, value),
        (Kind::Bool, Value::Bool(_))
            | (Kind::S8, Value::S8(_))
            | (Kind::U8, Value::U8(_))
            | (Kind::S16, Value::S16(_))
            | (Kind::U16, Value::U16(_))
            | (Kind::S32, Value::S32(_))
            | (Kind::U32, Value::U32(_))
            | (Kind::S64, Value::S64(_))
            | (Kind::U64, Value::U64(_))
            | (Kind::F32, Value::F32(_))
            | (Kind::F64, Value::F64(_))
            | (Kind::String, Value::String(_))
            | (Kind::Bytes, Value::Bytes(_))
    );
    if fits { Ok(()) } else { Err(Mismatch) }
}

/// Writes a value with its tag, also if it is the default.
fn put(field: &FieldPlan, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match (&field.kind, value) {
        (Kind::Message(plan), value) => {
            delimited(field.number, out, |out| message(plan, value, out))
        }
        (Kind::Flags(plan), Value::Flags(set)) => {
            if set.len() != plan.values.len() {
                return Err(Mismatch);
            }
            if !set.contains(&true) {
                return Ok(());
            }
            delimited(field.number, out, |out| {
                let raised = (1..).zip(set).filter(|(_, raised)| **raised);
                raised.for_each(|(number, _)| varint(number, out));
                Ok(())
            })
        }
        (kind, value) => {
            tag(field.number, kind.wire(), out);
            scalar(kind, value, out)
        }
    }
}

fn scalar(kind: &Kind, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match (kind, value) {
        (Kind::String, Value::String(value)) => bytes(value.as_bytes(), out),
        (Kind::Bytes, Value::Bytes(value)) => bytes(value, out),
        (Kind::Bool, Value::Bool(value)) => out.push(u8::from(*value)),
        (Kind::S8, Value::S8(value)) => signed(i64::from(*value), out),
        (Kind::U8, Value::U8(value)) => varint(u64::from(*value), out),
        (Kind::S16, Value::S16(value)) => signed(i64::from(*value), out),
        (Kind::U16, Value::U16(value)) => varint(u64::from(*value), out),
        (Kind::S32, Value::S32(value)) => signed(i64::from(*value), out),
        (Kind::U32, Value::U32(value)) => varint(u64::from(*value), out),
        (Kind::S64, Value::S64(value)) => signed(*value, out),
        (Kind::U64, Value::U64(value)) => varint(*value, out),
        (Kind::F32, Value::F32(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Kind::F64, Value::F64(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Kind::Char, Value::Char(value)) => {
            bytes(value.encode_utf8(&mut [0; 4]).as_bytes(), out);
        }
        (Kind::Enum(plan), Value::Enum(case)) if (*case as usize) < plan.values.len() => {
            varint(u64::from(*case) + 1, out);
        }
        _ => return Err(Mismatch),
    }
    Ok(())
}

/// Negative numbers take ten bytes, whatever their width: protobuf's `int32` is cut, not widened.
fn signed(value: i64, out: &mut Vec<u8>) {
    varint(value as u64, out);
}

fn tag(number: u32, wire: Wire, out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | wire as u64, out);
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a tag, a length and what `write` adds. The length is known only afterwards: one byte is
/// kept free for it, which is enough below 128, and what was written moves on when it is not. That
/// is a copy for each level of nesting, and cheaper than measuring everything first.
fn delimited(
    number: u32,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    tag(number, Wire::Bytes, out);
    let at = out.len();
    out.push(0);
    write(out)?;
    let length = out.len() - at - 1;
    if length < 0x80 {
        if let Some(byte) = out.get_mut(at) {
            *byte = length as u8;
        }
        return Ok(());
    }
    let mut prefix = Vec::with_capacity(10);
    varint(length as u64, &mut prefix);
    drop(out.splice(at..=at, prefix));
    Ok(())
}
