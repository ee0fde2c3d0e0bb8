//! The interface's parameters to PostgreSQL's binary values. As in Spin, a parameter's case decides
//! its type and nothing is coerced: the statement must take that type, or the guest casts in SQL.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use super::{base, calendar, numeric, range};
use crate::capabilities::bindings::postgres::{Interval, ParameterValue, RangeBoundKind};

/// A parameter in its binary form; `None` is NULL. It prints as nothing, because the database
/// library prints parameters when its debug log is on.
pub(crate) struct Encoded<'a>(Option<Cow<'a, [u8]>>);

impl fmt::Debug for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl ToSql for Encoded<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        Ok(match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Binary
    }

    to_sql_checked!();
}

/// `value` as a parameter of type `ty`.
///
/// # Errors
/// What does not fit, without the value; the caller adds the parameter's position.
pub(crate) fn encode<'a>(value: &'a ParameterValue, ty: &Type) -> Result<Encoded<'a>, String> {
    let ty = base(ty);
    if !takes(ty, value) {
        return Err(format!("is {}, but the statement takes {}", name(value), ty.name()));
    }
    match bytes(value, ty) {
        Some(bytes) => Ok(Encoded(bytes)),
        None => Err(format!("is {} that does not exist or is out of range", name(value))),
    }
}

/// Whether a parameter of type `ty` can be bound from `value`'s case.
fn takes(ty: &Type, value: &ParameterValue) -> bool {
    use ParameterValue as P;
    match value {
        P::DbNull => true,
        P::Boolean(_) => *ty == Type::BOOL,
        P::Int8(_) => *ty == Type::CHAR,
        P::Int16(_) => *ty == Type::INT2,
        P::Int32(_) => *ty == Type::INT4,
        P::Int64(_) => *ty == Type::INT8,
        P::Floating32(_) => *ty == Type::FLOAT4,
        P::Floating64(_) => *ty == Type::FLOAT8,
        P::Str(_) => is_text(ty),
        P::Binary(_) => *ty == Type::BYTEA,
        P::Date(_) => *ty == Type::DATE,
        P::Time(_) => *ty == Type::TIME,
        P::Datetime(_) => *ty == Type::TIMESTAMP,
        P::Timestamp(_) => *ty == Type::TIMESTAMPTZ,
        P::Uuid(_) => *ty == Type::UUID,
        P::Jsonb(_) => matches!(*ty, Type::JSON | Type::JSONB),
        P::Decimal(_) => *ty == Type::NUMERIC,
        P::RangeInt32(_) => *ty == Type::INT4_RANGE,
        P::RangeInt64(_) => *ty == Type::INT8_RANGE,
        P::RangeDecimal(_) => *ty == Type::NUM_RANGE,
        P::ArrayInt32(_) => *ty == Type::INT4_ARRAY,
        P::ArrayInt64(_) => *ty == Type::INT8_ARRAY,
        P::ArrayDecimal(_) => *ty == Type::NUMERIC_ARRAY,
        P::ArrayStr(_) => matches!(
            *ty,
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY | Type::NAME_ARRAY
        ),
        P::Interval(_) => *ty == Type::INTERVAL,
    }
}

fn is_text(ty: &Type) -> bool {
    match *ty {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => true,
        // Extension types have no fixed number, only names.
        _ => matches!(ty.name(), "citext" | "ltree" | "lquery" | "ltxtquery"),
    }
}

fn name(value: &ParameterValue) -> &'static str {
    use ParameterValue as P;
    match value {
        P::Boolean(_) => "a boolean",
        P::Int8(_) => "an int8 (one byte)",
        P::Int16(_) => "an int16",
        P::Int32(_) => "an int32",
        P::Int64(_) => "an int64",
        P::Floating32(_) => "a floating32",
        P::Floating64(_) => "a floating64",
        P::Str(_) => "a str",
        P::Binary(_) => "a binary",
        P::Date(_) => "a date",
        P::Time(_) => "a time",
        P::Datetime(_) => "a datetime",
        P::Timestamp(_) => "a timestamp",
        P::Uuid(_) => "a uuid",
        P::Jsonb(_) => "a jsonb",
        P::Decimal(_) => "a decimal",
        P::RangeInt32(_) => "a range-int32",
        P::RangeInt64(_) => "a range-int64",
        P::RangeDecimal(_) => "a range-decimal",
        P::ArrayInt32(_) => "an array-int32",
        P::ArrayInt64(_) => "an array-int64",
        P::ArrayDecimal(_) => "an array-decimal",
        P::ArrayStr(_) => "an array-str",
        P::Interval(_) => "an interval",
        P::DbNull => "NULL",
    }
}

/// The binary form; `None` for content that is no such value.
fn bytes<'a>(value: &'a ParameterValue, ty: &Type) -> Option<Option<Cow<'a, [u8]>>> {
    use ParameterValue as P;
    Some(Some(match value {
        P::DbNull => return Some(None),
        P::Boolean(value) => owned([u8::from(*value)]),
        P::Int8(value) => owned(value.to_be_bytes()),
        P::Int16(value) => owned(value.to_be_bytes()),
        P::Int32(value) => owned(value.to_be_bytes()),
        P::Int64(value) => owned(value.to_be_bytes()),
        P::Floating32(value) => owned(value.to_be_bytes()),
        P::Floating64(value) => owned(value.to_be_bytes()),
        P::Str(value) => text(value, ty),
        P::Binary(value) => Cow::Borrowed(value.as_slice()),
        P::Date((year, month, day)) => owned(date(*year, *month, *day)?.to_be_bytes()),
        P::Time((hour, minute, second, nano)) => {
            owned(calendar::micros_of(*hour, *minute, *second, *nano)?.to_be_bytes())
        }
        P::Datetime((year, month, day, hour, minute, second, nano)) => {
            let days = calendar::days_of(*year, *month, *day)?;
            let micros = calendar::micros_of(*hour, *minute, *second, *nano)?;
            let micros = days.checked_mul(calendar::DAY_MICROS)?.checked_add(micros)?;
            owned(finite(micros)?.to_be_bytes())
        }
        P::Timestamp(seconds) => {
            let shifted = seconds.checked_sub(calendar::EPOCH_SHIFT_SECONDS)?;
            owned(finite(shifted.checked_mul(1_000_000)?)?.to_be_bytes())
        }
        P::Uuid(value) => owned(uuid::Uuid::parse_str(value).ok()?.into_bytes()),
        P::Jsonb(value) if *ty == Type::JSON => Cow::Borrowed(value.as_slice()),
        P::Jsonb(value) => prefixed(value),
        P::Decimal(value) => Cow::Owned(numeric::from_text(value)?),
        P::RangeInt32((lower, upper)) => bounds(lower, upper, int4)?,
        P::RangeInt64((lower, upper)) => bounds(lower, upper, int8)?,
        P::RangeDecimal((lower, upper)) => bounds(lower, upper, decimal)?,
        P::ArrayInt32(values) => array(values, &Type::INT4, int4)?,
        P::ArrayInt64(values) => array(values, &Type::INT8, int8)?,
        P::ArrayDecimal(values) => array(values, &Type::NUMERIC, decimal)?,
        P::ArrayStr(values) => array(values, element(ty), |value| Some(value.as_bytes().to_vec()))?,
        P::Interval(value) => interval(value),
    }))
}

fn owned<const N: usize>(bytes: [u8; N]) -> Cow<'static, [u8]> {
    Cow::Owned(bytes.to_vec())
}

/// A one at the front: the version of jsonb's and of ltree's binary forms.
fn prefixed(bytes: &[u8]) -> Cow<'static, [u8]> {
    let mut raw = Vec::with_capacity(bytes.len() + 1);
    raw.push(1);
    raw.extend_from_slice(bytes);
    Cow::Owned(raw)
}

fn text<'a>(value: &'a str, ty: &Type) -> Cow<'a, [u8]> {
    match ty.name() {
        "ltree" | "lquery" | "ltxtquery" => prefixed(value.as_bytes()),
        _ => Cow::Borrowed(value.as_bytes()),
    }
}

fn date(year: i32, month: u8, day: u8) -> Option<i32> {
    let days = i32::try_from(calendar::days_of(year, month, day)?).ok()?;
    // The two ends mean `infinity` and `-infinity`, which a date never does.
    (days != i32::MAX && days != i32::MIN).then_some(days)
}

/// The two ends of the numbers mean `infinity` and `-infinity`, which a time in days never does.
fn finite(micros: i64) -> Option<i64> {
    (micros != i64::MAX && micros != i64::MIN).then_some(micros)
}

fn int4(value: &i32) -> Option<Vec<u8>> {
    Some(value.to_be_bytes().to_vec())
}

fn int8(value: &i64) -> Option<Vec<u8>> {
    Some(value.to_be_bytes().to_vec())
}

#[allow(clippy::ptr_arg, reason = "it is passed where a function of the element type is taken")]
fn decimal(value: &String) -> Option<Vec<u8>> {
    numeric::from_text(value)
}

fn interval(value: &Interval) -> Cow<'static, [u8]> {
    let mut raw = Vec::with_capacity(16);
    raw.extend_from_slice(&value.micros.to_be_bytes());
    raw.extend_from_slice(&value.days.to_be_bytes());
    raw.extend_from_slice(&value.months.to_be_bytes());
    Cow::Owned(raw)
}

/// Appends a length and as many bytes.
fn push_item(raw: &mut Vec<u8>, item: &[u8]) -> Option<()> {
    raw.extend_from_slice(&i32::try_from(item.len()).ok()?.to_be_bytes());
    raw.extend_from_slice(item);
    Some(())
}

type Bound<T> = Option<(T, RangeBoundKind)>;

/// A range. Whether its ends are in order, and whether it is empty, PostgreSQL decides.
fn bounds<T>(
    lower: &Bound<T>,
    upper: &Bound<T>,
    value: fn(&T) -> Option<Vec<u8>>,
) -> Option<Cow<'static, [u8]>> {
    let flag = |bound: &Bound<T>, infinite, inclusive| match bound {
        None => infinite,
        Some((_, RangeBoundKind::Inclusive)) => inclusive,
        Some((_, RangeBoundKind::Exclusive)) => 0,
    };
    let mut raw = vec![
        flag(lower, range::LOWER_INFINITE, range::LOWER_INCLUSIVE)
            | flag(upper, range::UPPER_INFINITE, range::UPPER_INCLUSIVE),
    ];
    for (end, _) in [lower, upper].into_iter().flatten() {
        push_item(&mut raw, &value(end)?)?;
    }
    Some(Cow::Owned(raw))
}

/// The element type of a text array; the others have one each.
fn element(ty: &Type) -> &'static Type {
    match *ty {
        Type::VARCHAR_ARRAY => &Type::VARCHAR,
        Type::BPCHAR_ARRAY => &Type::BPCHAR,
        Type::NAME_ARRAY => &Type::NAME,
        _ => &Type::TEXT,
    }
}

fn array<T>(
    values: &[Option<T>],
    element: &Type,
    bytes: impl Fn(&T) -> Option<Vec<u8>>,
) -> Option<Cow<'static, [u8]>> {
    let mut raw = Vec::new();
    let dimensions = i32::from(!values.is_empty());
    let nulls = i32::from(values.iter().any(Option::is_none));
    raw.extend_from_slice(&dimensions.to_be_bytes());
    raw.extend_from_slice(&nulls.to_be_bytes());
    raw.extend_from_slice(&element.oid().to_be_bytes());
    if !values.is_empty() {
        raw.extend_from_slice(&i32::try_from(values.len()).ok()?.to_be_bytes());
        // SQL counts elements from one.
        raw.extend_from_slice(&1_i32.to_be_bytes());
    }
    for value in values {
        match value {
            Some(value) => push_item(&mut raw, &bytes(value)?)?,
            None => raw.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
    Some(Cow::Owned(raw))
}
