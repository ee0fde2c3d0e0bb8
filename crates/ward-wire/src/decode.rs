//! Bytes → values, by a message's plan. What protobuf leaves to the reader is settled as follows.
//!
//! - Unknown fields are passed over; groups are an error.
//! - A scalar that is there twice counts the last time. A message that is there twice is merged,
//!   which for protobuf is the same as reading one after the other: their bytes are joined and read
//!   once, at the end. A oneof keeps the case that came last.
//! - Lists of numbers may be packed or not, also both in one message.
//! - What is missing has its type's default; a char, an enum or a variant has none.
//! - A field of a wrong layout is an error; others call it unknown, and lose it without a word.

use std::borrow::Cow;

use crate::plan::{EnumPlan, FieldPlan, Kind, Label, MessagePlan, Shape, Wire};
use crate::reader::Reader;
use crate::{DecodeError, MESSAGE_BYTES_MAX, VALUES_MAX, Value};

/// Reads a message.
pub(crate) fn decode(plan: &MessagePlan, bytes: &[u8]) -> Result<Value, DecodeError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::new("is longer than 4 MiB"));
    }
    Decoder { budget: Budget::default() }.message(plan, bytes)
}

struct Decoder {
    budget: Budget,
}

/// How many values may still be made of a message.
pub(crate) struct Budget {
    values_left: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { values_left: VALUES_MAX }
    }
}

impl Budget {
    pub(crate) fn spend(&mut self, values: usize) -> Result<(), DecodeError> {
        self.values_left = self
            .values_left
            .checked_sub(values)
            .ok_or_else(|| DecodeError::new("holds more than a million values"))?;
        Ok(())
    }
}

/// Messages that occurred in single fields: which field, and the bytes of all occurrences.
type Pending<'a> = Vec<(usize, Cow<'a, [u8]>)>;

impl Decoder {
    fn message(&mut self, plan: &MessagePlan, bytes: &[u8]) -> Result<Value, DecodeError> {
        match plan.shape {
            Shape::Record => self.fields(plan, bytes).map(Value::Record),
            Shape::Tuple => self.fields(plan, bytes).map(Value::Tuple),
            Shape::Wrapper => {
                let mut values = self.fields(plan, bytes)?;
                values.pop().ok_or_else(|| DecodeError::new("has no field"))
            }
            Shape::Variant => {
                let (case, payload) = self.oneof(plan, bytes)?;
                Ok(Value::Variant(case, payload))
            }
            Shape::Result => Ok(Value::Result(match self.oneof(plan, bytes)? {
                (0, payload) => Ok(payload),
                (_, payload) => Err(payload),
            })),
        }
    }

    fn fields(&mut self, plan: &MessagePlan, bytes: &[u8]) -> Result<Vec<Value>, DecodeError> {
        self.budget.spend(plan.fields.len())?;
        let mut slots: Vec<Option<Value>> = plan.fields.iter().map(|_| None).collect();
        let mut pending = Pending::new();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.tag()? {
            let index = number as usize - 1;
            let (Some(field), Some(slot)) = (plan.fields.get(index), slots.get_mut(index)) else {
                reader.skip(wire)?;
                continue;
            };
            if field.label != Label::List && matches!(field.kind, Kind::Message(_)) {
                let more = delimited(wire, &mut reader).map_err(|e| e.within(&field.proto))?;
                join(&mut pending, index, more);
            } else {
                self.field(field, wire, &mut reader, slot).map_err(|e| e.within(&field.proto))?;
            }
        }
        for (index, bytes) in pending {
            if let (Some(field), Some(slot)) = (plan.fields.get(index), slots.get_mut(index)) {
                let value = self.payload(field, &bytes).map_err(|e| e.within(&field.proto))?;
                *slot = Some(labelled(field.label, value));
            }
        }
        let filled = slots.into_iter().zip(&plan.fields).map(|(slot, field)| match slot {
            Some(value) => Ok(value),
            None => self.default(field).map_err(|e| e.within(&field.proto)),
        });
        filled.collect()
    }

    /// Reads one occurrence of a field that is no single message.
    fn field(
        &mut self,
        field: &FieldPlan,
        wire: Wire,
        reader: &mut Reader<'_>,
        slot: &mut Option<Value>,
    ) -> Result<(), DecodeError> {
        if let Kind::Flags(plan) = &field.kind {
            return flags(plan, wire, reader, slot);
        }
        if field.label != Label::List {
            let value = scalar(&field.kind, wire, reader)?;
            *slot = Some(labelled(field.label, value));
            return Ok(());
        }
        let Value::List(list) = slot.get_or_insert_with(|| Value::List(Vec::new())) else {
            return Err(DecodeError::new("is no list"));
        };
        let at = |index: usize| move |error: DecodeError| error.at(index);
        if let Kind::Message(plan) = &field.kind {
            let bytes = delimited(wire, reader).map_err(at(list.len()))?;
            self.budget.spend(1)?;
            list.push(self.message(plan, bytes).map_err(at(list.len()))?);
        } else if wire == Wire::Bytes && field.kind.wire() != Wire::Bytes {
            let mut packed = Reader::new(reader.bytes()?);
            while !packed.is_empty() {
                self.budget.spend(1)?;
                let value = scalar(&field.kind, field.kind.wire(), &mut packed);
                list.push(value.map_err(at(list.len()))?);
            }
        } else {
            self.budget.spend(1)?;
            list.push(scalar(&field.kind, wire, reader).map_err(at(list.len()))?);
        }
        Ok(())
    }

    /// The case that was set last, and its payload.
    fn oneof(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
    ) -> Result<(u32, Option<Box<Value>>), DecodeError> {
        self.budget.spend(1)?;
        let mut scalars: Option<(u32, Value)> = None;
        let mut pending = Pending::new();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.tag()? {
            let index = number as usize - 1;
            let Some(field) = plan.fields.get(index) else {
                reader.skip(wire)?;
                continue;
            };
            if matches!(field.kind, Kind::Message(_) | Kind::Empty) {
                let more = delimited(wire, &mut reader).map_err(|e| e.within(&field.proto))?;
                pending.retain(|(set, _)| *set == index);
                join(&mut pending, index, more);
                scalars = None;
            } else {
                let value = scalar(&field.kind, wire, &mut reader);
                scalars = Some((number - 1, value.map_err(|e| e.within(&field.proto))?));
                pending.clear();
            }
        }
        if let Some((case, value)) = scalars {
            return Ok((case, Some(Box::new(value))));
        }
        let set = pending.pop().and_then(|(at, bytes)| Some((at, plan.fields.get(at)?, bytes)));
        let Some((index, field, bytes)) = set else {
            return Err(DecodeError::new("has none of its cases set, or one that is not known"));
        };
        let case = u32::try_from(index).unwrap_or(u32::MAX);
        if matches!(field.kind, Kind::Empty) {
            empty(&bytes).map_err(|e| e.within(&field.proto))?;
            return Ok((case, None));
        }
        let value = self.payload(field, &bytes).map_err(|e| e.within(&field.proto))?;
        Ok((case, Some(Box::new(value))))
    }

    fn payload(&mut self, field: &FieldPlan, bytes: &[u8]) -> Result<Value, DecodeError> {
        match &field.kind {
            Kind::Message(plan) => self.message(plan, bytes),
            _ => Err(DecodeError::new("is no message")),
        }
    }

    fn default(&mut self, field: &FieldPlan) -> Result<Value, DecodeError> {
        match field.label {
            Label::Optional => Ok(Value::Option(None)),
            Label::List => Ok(Value::List(Vec::new())),
            Label::Single => match &field.kind {
                Kind::Message(plan) => self.message(plan, &[]),
                kind => default_scalar(kind),
            },
        }
    }
}

/// The value of a scalar that is missing; a char or an enum has none.
pub(crate) fn default_scalar(kind: &Kind) -> Result<Value, DecodeError> {
    Ok(match kind {
        Kind::Bool => Value::Bool(false),
        Kind::S8 => Value::S8(0),
        Kind::U8 => Value::U8(0),
        Kind::S16 => Value::S16(0),
        Kind::U16 => Value::U16(0),
        Kind::S32 => Value::S32(0),
        Kind::U32 => Value::U32(0),
        Kind::S64 => Value::S64(0),
        Kind::U64 => Value::U64(0),
        Kind::F32 => Value::F32(0.0),
        Kind::F64 => Value::F64(0.0),
        Kind::String => Value::String(String::new()),
        Kind::Bytes => Value::Bytes(Vec::new()),
        Kind::Flags(plan) => Value::Flags(vec![false; plan.values.len()]),
        Kind::Char => return Err(DecodeError::new(CHAR)),
        Kind::Enum(_) => return Err(DecodeError::new(UNSPECIFIED)),
        Kind::Message(_) | Kind::Empty => return Err(DecodeError::new("is not set")),
    })
}

/// The character of a `char`, which travels as a string.
pub(crate) fn character(text: &str) -> Result<Value, DecodeError> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Value::Char(c)),
        _ => Err(DecodeError::new(CHAR)),
    }
}

/// The case that a number stands for.
pub(crate) fn case(plan: &EnumPlan, number: i32) -> Result<u32, DecodeError> {
    match u32::try_from(number) {
        Ok(0) => Err(DecodeError::new(UNSPECIFIED)),
        Ok(number) if number as usize <= plan.values.len() => Ok(number - 1),
        _ => Err(DecodeError::new(UNKNOWN_CASE)),
    }
}

const CHAR: &str = "must be exactly one character";
const UNSPECIFIED: &str = "is not set, and has no default";
pub(crate) const UNKNOWN_CASE: &str = "is none of its cases";
pub(crate) const RANGE: &str = "is out of its range";

fn labelled(label: Label, value: Value) -> Value {
    match label {
        Label::Optional => Value::Option(Some(Box::new(value))),
        Label::Single | Label::List => value,
    }
}

fn join<'a>(pending: &mut Pending<'a>, index: usize, more: &'a [u8]) {
    match pending.iter_mut().find(|(at, _)| *at == index) {
        Some((_, bytes)) => bytes.to_mut().extend_from_slice(more),
        None => pending.push((index, Cow::Borrowed(more))),
    }
}

fn expect(wire: Wire, expected: Wire) -> Result<(), DecodeError> {
    if wire == expected { Ok(()) } else { Err(DecodeError::new("is not laid out as its type is")) }
}

fn delimited<'a>(wire: Wire, reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    expect(wire, Wire::Bytes)?;
    reader.bytes()
}

/// What is in a message without fields has to be well-formed all the same.
fn empty(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    while let Some((_, wire)) = reader.tag()? {
        reader.skip(wire)?;
    }
    Ok(())
}

fn flags(
    plan: &EnumPlan,
    wire: Wire,
    reader: &mut Reader<'_>,
    slot: &mut Option<Value>,
) -> Result<(), DecodeError> {
    let none = || Value::Flags(vec![false; plan.values.len()]);
    let Value::Flags(set) = slot.get_or_insert_with(none) else {
        return Err(DecodeError::new("is no set of flags"));
    };
    let mut raise = |number: u64| {
        let flag = case(plan, number as i32)? as usize;
        if let Some(flag) = set.get_mut(flag) {
            *flag = true;
        }
        Ok(())
    };
    if wire == Wire::Bytes {
        let mut packed = Reader::new(reader.bytes()?);
        while !packed.is_empty() {
            raise(packed.varint()?)?;
        }
        return Ok(());
    }
    expect(wire, Wire::Varint)?;
    raise(reader.varint()?)
}

/// Reads a value that is no message. Numbers are cut to 32 bits where protobuf's type has 32, as
/// every implementation does, and then checked where WIT's type is narrower.
fn scalar(kind: &Kind, wire: Wire, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    expect(wire, kind.wire())?;
    let range = |_| DecodeError::new(RANGE);
    Ok(match kind {
        Kind::String => Value::String(text(reader)?.to_owned()),
        Kind::Bytes => Value::Bytes(reader.bytes()?.to_vec()),
        Kind::Bool => Value::Bool(reader.varint()? != 0),
        Kind::S8 => Value::S8((reader.varint()? as i32).try_into().map_err(range)?),
        Kind::U8 => Value::U8((reader.varint()? as u32).try_into().map_err(range)?),
        Kind::S16 => Value::S16((reader.varint()? as i32).try_into().map_err(range)?),
        Kind::U16 => Value::U16((reader.varint()? as u32).try_into().map_err(range)?),
        Kind::S32 => Value::S32(reader.varint()? as i32),
        Kind::U32 => Value::U32(reader.varint()? as u32),
        Kind::S64 => Value::S64(reader.varint()? as i64),
        Kind::U64 => Value::U64(reader.varint()?),
        Kind::F32 => Value::F32(f32::from_le_bytes(reader.fixed32()?)),
        Kind::F64 => Value::F64(f64::from_le_bytes(reader.fixed64()?)),
        Kind::Char => character(text(reader)?)?,
        Kind::Enum(plan) => Value::Enum(case(plan, reader.varint()? as i32)?),
        Kind::Flags(_) | Kind::Message(_) | Kind::Empty => {
            return Err(DecodeError::new("is no scalar"));
        }
    })
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    str::from_utf8(reader.bytes()?).map_err(|_| DecodeError::new("is not UTF-8"))
}
