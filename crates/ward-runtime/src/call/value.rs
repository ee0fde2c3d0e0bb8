//! Values as triggers have them and values as wasmtime has them. The first go by position, the
//! second by names; the type has both. A value that does not fit its type is told by the type it
//! should have, never by what it is.

use ward_wire::Value;
use wasmtime::component::Val;
use wasmtime::component::types::Type;

/// `value` as the type wants it.
pub(super) fn lower(value: Value, ty: &Type) -> Result<Val, String> {
    Ok(match (value, ty) {
        (Value::Bool(value), Type::Bool) => Val::Bool(value),
        (Value::S8(value), Type::S8) => Val::S8(value),
        (Value::U8(value), Type::U8) => Val::U8(value),
        (Value::S16(value), Type::S16) => Val::S16(value),
        (Value::U16(value), Type::U16) => Val::U16(value),
        (Value::S32(value), Type::S32) => Val::S32(value),
        (Value::U32(value), Type::U32) => Val::U32(value),
        (Value::S64(value), Type::S64) => Val::S64(value),
        (Value::U64(value), Type::U64) => Val::U64(value),
        (Value::F32(value), Type::Float32) => Val::Float32(value),
        (Value::F64(value), Type::Float64) => Val::Float64(value),
        (Value::Char(value), Type::Char) => Val::Char(value),
        (Value::String(value), Type::String) => Val::String(value),
        (value, ty) => return lower_compound(value, ty),
    })
}

fn lower_compound(value: Value, ty: &Type) -> Result<Val, String> {
    match (value, ty) {
        (Value::Bytes(bytes), Type::List(list)) if list.ty() == Type::U8 => {
            Ok(Val::List(bytes.into_iter().map(Val::U8).collect()))
        }
        (Value::List(items), Type::List(list)) => Ok(Val::List(lower_all(items, &list.ty())?)),
        (Value::List(items), Type::FixedLengthList(list)) if items.len() == list.len() as usize => {
            Ok(Val::FixedLengthList(lower_all(items, &list.ty())?))
        }
        (Value::Record(items), Type::Record(record)) if items.len() == record.fields().len() => {
            let fields = record.fields().zip(items);
            let fields = fields.map(|(f, item)| Ok((f.name.to_owned(), lower(item, &f.ty)?)));
            Ok(Val::Record(fields.collect::<Result<_, String>>()?))
        }
        (Value::Tuple(items), Type::Tuple(tuple)) if items.len() == tuple.types().len() => {
            let items = tuple.types().zip(items).map(|(ty, item)| lower(item, &ty));
            Ok(Val::Tuple(items.collect::<Result<_, _>>()?))
        }
        (Value::Variant(number, payload), Type::Variant(variant)) => {
            let case = variant.cases().nth(number as usize);
            let case = case.ok_or("no such case of a variant")?;
            Ok(Val::Variant(case.name.to_owned(), lower_payload(payload, case.ty.as_ref())?))
        }
        (Value::Enum(number), Type::Enum(cases)) => {
            let case = cases.names().nth(number as usize).ok_or("no such case of an enum")?;
            Ok(Val::Enum(case.to_owned()))
        }
        (Value::Option(None), Type::Option(_)) => Ok(Val::Option(None)),
        (Value::Option(payload), Type::Option(option)) => {
            Ok(Val::Option(lower_payload(payload, Some(&option.ty()))?))
        }
        (Value::Result(Ok(payload)), Type::Result(result)) => {
            Ok(Val::Result(Ok(lower_payload(payload, result.ok().as_ref())?)))
        }
        (Value::Result(Err(payload)), Type::Result(result)) => {
            Ok(Val::Result(Err(lower_payload(payload, result.err().as_ref())?)))
        }
        (Value::Flags(set), Type::Flags(flags)) if set.len() == flags.names().len() => {
            let set = flags.names().zip(set).filter(|(_, set)| *set);
            Ok(Val::Flags(set.map(|(name, _)| name.to_owned()).collect()))
        }
        (_, ty) => Err(misfit(ty)),
    }
}

fn lower_all(items: Vec<Value>, ty: &Type) -> Result<Vec<Val>, String> {
    items.into_iter().map(|item| lower(item, ty)).collect()
}

fn lower_payload(
    payload: Option<Box<Value>>,
    ty: Option<&Type>,
) -> Result<Option<Box<Val>>, String> {
    match (payload, ty) {
        (Some(payload), Some(ty)) => Ok(Some(Box::new(lower(*payload, ty)?))),
        (None, None) => Ok(None),
        _ => Err("a payload where there is none, or none where there is one".to_owned()),
    }
}

/// A value of the type, as wasmtime made it.
pub(super) fn lift(value: Val, ty: &Type) -> Result<Value, String> {
    Ok(match value {
        Val::Bool(value) => Value::Bool(value),
        Val::S8(value) => Value::S8(value),
        Val::U8(value) => Value::U8(value),
        Val::S16(value) => Value::S16(value),
        Val::U16(value) => Value::U16(value),
        Val::S32(value) => Value::S32(value),
        Val::U32(value) => Value::U32(value),
        Val::S64(value) => Value::S64(value),
        Val::U64(value) => Value::U64(value),
        Val::Float32(value) => Value::F32(value),
        Val::Float64(value) => Value::F64(value),
        Val::Char(value) => Value::Char(value),
        Val::String(value) => Value::String(value),
        value => return lift_compound(value, ty),
    })
}

fn lift_compound(value: Val, ty: &Type) -> Result<Value, String> {
    match (value, ty) {
        (Val::List(items), Type::List(list)) if list.ty() == Type::U8 => {
            let bytes = items.into_iter().map(|item| match item {
                Val::U8(byte) => Ok(byte),
                _ => Err(misfit(&Type::U8)),
            });
            Ok(Value::Bytes(bytes.collect::<Result<_, _>>()?))
        }
        (Val::List(items), Type::List(list)) => Ok(Value::List(lift_all(items, &list.ty())?)),
        (Val::FixedLengthList(items), Type::FixedLengthList(list)) => {
            Ok(Value::List(lift_all(items, &list.ty())?))
        }
        (Val::Record(fields), Type::Record(record)) => {
            let fields = record.fields().zip(fields);
            let fields = fields.map(|(field, (_, value))| lift(value, &field.ty));
            Ok(Value::Record(fields.collect::<Result<_, _>>()?))
        }
        (Val::Tuple(items), Type::Tuple(tuple)) => {
            let items = tuple.types().zip(items).map(|(ty, item)| lift(item, &ty));
            Ok(Value::Tuple(items.collect::<Result<_, _>>()?))
        }
        (Val::Variant(name, payload), Type::Variant(variant)) => {
            let mut cases = variant.cases().zip(0..);
            let (case, number) = cases.find(|(c, _)| c.name == name).ok_or_else(|| misfit(ty))?;
            Ok(Value::Variant(number, lift_payload(payload, case.ty.as_ref())?))
        }
        (Val::Enum(name), Type::Enum(cases)) => {
            let mut cases = cases.names().zip(0..);
            let (_, number) = cases.find(|(case, _)| *case == name).ok_or_else(|| misfit(ty))?;
            Ok(Value::Enum(number))
        }
        (Val::Option(None), Type::Option(_)) => Ok(Value::Option(None)),
        (Val::Option(payload), Type::Option(option)) => {
            Ok(Value::Option(lift_payload(payload, Some(&option.ty()))?))
        }
        (Val::Result(Ok(payload)), Type::Result(result)) => {
            Ok(Value::Result(Ok(lift_payload(payload, result.ok().as_ref())?)))
        }
        (Val::Result(Err(payload)), Type::Result(result)) => {
            Ok(Value::Result(Err(lift_payload(payload, result.err().as_ref())?)))
        }
        (Val::Flags(set), Type::Flags(flags)) => {
            let is_set = |name: &str| set.iter().any(|flag| flag == name);
            Ok(Value::Flags(flags.names().map(is_set).collect()))
        }
        (_, ty) => Err(misfit(ty)),
    }
}

fn lift_all(items: Vec<Val>, ty: &Type) -> Result<Vec<Value>, String> {
    items.into_iter().map(|item| lift(item, ty)).collect()
}

fn lift_payload(
    payload: Option<Box<Val>>,
    ty: Option<&Type>,
) -> Result<Option<Box<Value>>, String> {
    match (payload, ty) {
        (Some(payload), Some(ty)) => Ok(Some(Box::new(lift(*payload, ty)?))),
        _ => Ok(None),
    }
}

/// What a value that does not fit is told by.
fn misfit(ty: &Type) -> String {
    let expected = match ty {
        Type::Bool => "a bool",
        Type::S8 | Type::S16 | Type::S32 | Type::S64 => "a signed integer",
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => "an unsigned integer",
        Type::Float32 | Type::Float64 => "a float",
        Type::Char => "a char",
        Type::String => "a string",
        Type::List(_) | Type::FixedLengthList(_) => "a list",
        Type::Record(_) => "a record with all of its fields",
        Type::Tuple(_) => "a tuple with all of its elements",
        Type::Variant(_) => "a variant",
        Type::Enum(_) => "an enum",
        Type::Option(_) => "an option",
        Type::Result(_) => "a result",
        Type::Flags(_) => "flags, each set or not",
        _ => "a type that has no values outside its component",
    };
    format!("expected {expected}")
}
