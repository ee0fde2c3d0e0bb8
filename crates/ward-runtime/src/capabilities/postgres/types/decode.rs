//! PostgreSQL's binary values to the interface's.

use std::error::Error as StdError;

use tokio_postgres::types::{FromSql, Type};

use super::{Codec, calendar, numeric, range};
use crate::capabilities::bindings::postgres::{DbValue, Interval, RangeBoundKind};

/// A column's bytes as they came; `None` is NULL.
pub(crate) struct Raw<'a>(pub(crate) Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Raw(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Raw(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Why a value cannot be given to the guest; says nothing of the value.
pub(crate) type Problem = &'static str;

const MALFORMED: Problem = "the server sent bytes that are not of its type";
const INFINITE: Problem = "`infinity` has no representation";

/// The interface's value for `raw`.
pub(crate) fn decode(codec: Codec, raw: Option<&[u8]>) -> Result<DbValue, Problem> {
    let Some(raw) = raw else { return Ok(DbValue::DbNull) };
    Ok(match codec {
        Codec::Bool => DbValue::Boolean(fixed::<1>(raw)? != [0]),
        Codec::Char => DbValue::Int8(i8::from_be_bytes(fixed(raw)?)),
        Codec::Int2 => DbValue::Int16(i16::from_be_bytes(fixed(raw)?)),
        Codec::Int4 => DbValue::Int32(int4(raw)?),
        Codec::Int8 => DbValue::Int64(int8(raw)?),
        Codec::Float4 => DbValue::Floating32(f32::from_be_bytes(fixed(raw)?)),
        Codec::Float8 => DbValue::Floating64(f64::from_be_bytes(fixed(raw)?)),
        Codec::Text => DbValue::Str(text(raw)?),
        Codec::Bytes => DbValue::Binary(raw.to_vec()),
        Codec::Date => date(raw)?,
        Codec::Time => DbValue::Time(calendar::time_of(int8(raw)?).ok_or(MALFORMED)?),
        Codec::Timestamp => datetime(raw)?,
        Codec::TimestampTz => timestamp(raw)?,
        Codec::Uuid => DbValue::Uuid(uuid::Uuid::from_bytes(fixed(raw)?).to_string()),
        Codec::Jsonb => jsonb(raw)?,
        Codec::Numeric => DbValue::Decimal(decimal(raw)?),
        Codec::Int4Range => DbValue::RangeInt32(bounds(raw, int4, 0)?),
        Codec::Int8Range => DbValue::RangeInt64(bounds(raw, int8, 0)?),
        Codec::NumericRange => DbValue::RangeDecimal(bounds(raw, decimal, "0".to_owned())?),
        Codec::Int4Array => DbValue::ArrayInt32(array(raw, int4)?),
        Codec::Int8Array => DbValue::ArrayInt64(array(raw, int8)?),
        Codec::NumericArray => DbValue::ArrayDecimal(array(raw, decimal)?),
        Codec::TextArray => DbValue::ArrayStr(array(raw, text)?),
        Codec::Interval => interval(raw)?,
        Codec::Other => DbValue::Unsupported(raw.to_vec()),
    })
}

fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], Problem> {
    raw.try_into().map_err(|_| MALFORMED)
}

fn int4(raw: &[u8]) -> Result<i32, Problem> {
    fixed(raw).map(i32::from_be_bytes)
}

fn int8(raw: &[u8]) -> Result<i64, Problem> {
    fixed(raw).map(i64::from_be_bytes)
}

fn text(raw: &[u8]) -> Result<String, Problem> {
    std::str::from_utf8(raw).map(str::to_owned).map_err(|_| MALFORMED)
}

fn decimal(raw: &[u8]) -> Result<String, Problem> {
    numeric::to_text(raw).ok_or(MALFORMED)
}

fn date(raw: &[u8]) -> Result<DbValue, Problem> {
    match int4(raw)? {
        i32::MAX | i32::MIN => Err(INFINITE),
        days => calendar::date_of(days.into()).map(DbValue::Date).ok_or(MALFORMED),
    }
}

fn finite_micros(raw: &[u8]) -> Result<i64, Problem> {
    match int8(raw)? {
        i64::MAX | i64::MIN => Err(INFINITE),
        micros => Ok(micros),
    }
}

fn datetime(raw: &[u8]) -> Result<DbValue, Problem> {
    let micros = finite_micros(raw)?;
    let date = calendar::date_of(micros.div_euclid(calendar::DAY_MICROS));
    let time = calendar::time_of(micros.rem_euclid(calendar::DAY_MICROS));
    let (Some((year, month, day)), Some((hour, minute, second, nanosecond))) = (date, time) else {
        return Err(MALFORMED);
    };
    Ok(DbValue::Datetime((year, month, day, hour, minute, second, nanosecond)))
}

/// Whole seconds: the interface has no finer timestamp. What is below a second is cut off towards
/// the past, so that an instant never appears later than it was.
fn timestamp(raw: &[u8]) -> Result<DbValue, Problem> {
    let seconds = finite_micros(raw)?.div_euclid(1_000_000);
    Ok(DbValue::Timestamp(seconds + calendar::EPOCH_SHIFT_SECONDS))
}

fn jsonb(raw: &[u8]) -> Result<DbValue, Problem> {
    match raw.split_first() {
        Some((1, json)) => Ok(DbValue::Jsonb(json.to_vec())),
        _ => Err(MALFORMED),
    }
}

fn interval(raw: &[u8]) -> Result<DbValue, Problem> {
    let (micros, rest) = take(raw)?;
    let (days, months) = take(rest)?;
    Ok(DbValue::Interval(Interval {
        micros: i64::from_be_bytes(micros),
        days: i32::from_be_bytes(days),
        months: int4(months)?,
    }))
}

fn take<const N: usize>(raw: &[u8]) -> Result<([u8; N], &[u8]), Problem> {
    raw.split_first_chunk().map(|(head, rest)| (*head, rest)).ok_or(MALFORMED)
}

/// A length and as many bytes; a length of -1 is NULL.
fn item(raw: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Problem> {
    let (length, rest) = take(raw)?;
    let length = i32::from_be_bytes(length);
    if length == -1 {
        return Ok((None, rest));
    }
    let length = usize::try_from(length).map_err(|_| MALFORMED)?;
    rest.split_at_checked(length).map(|(item, rest)| (Some(item), rest)).ok_or(MALFORMED)
}

type Bound<T> = Option<(T, RangeBoundKind)>;

/// A range. The empty one has no case of its own in the interface; it is given as `(zero, zero)`
/// with both ends excluded, which holds nothing and which PostgreSQL reads back as empty. (Two
/// absent bounds would be the opposite: everything.)
fn bounds<T: Clone>(
    raw: &[u8],
    value: fn(&[u8]) -> Result<T, Problem>,
    zero: T,
) -> Result<(Bound<T>, Bound<T>), Problem> {
    let ([flags], rest) = take(raw)?;
    if flags & range::EMPTY != 0 {
        let end = Some((zero, RangeBoundKind::Exclusive));
        return Ok((end.clone(), end));
    }
    let (lower, rest) = bound(rest, flags, range::LOWER_INFINITE, range::LOWER_INCLUSIVE, value)?;
    let (upper, rest) = bound(rest, flags, range::UPPER_INFINITE, range::UPPER_INCLUSIVE, value)?;
    if rest.is_empty() { Ok((lower, upper)) } else { Err(MALFORMED) }
}

fn bound<T>(
    raw: &[u8],
    flags: u8,
    infinite: u8,
    inclusive: u8,
    value: fn(&[u8]) -> Result<T, Problem>,
) -> Result<(Bound<T>, &[u8]), Problem> {
    if flags & infinite != 0 {
        return Ok((None, raw));
    }
    let (bytes, rest) = item(raw)?;
    let kind =
        if flags & inclusive != 0 { RangeBoundKind::Inclusive } else { RangeBoundKind::Exclusive };
    Ok((Some((value(bytes.ok_or(MALFORMED)?)?, kind)), rest))
}

fn array<T>(raw: &[u8], value: fn(&[u8]) -> Result<T, Problem>) -> Result<Vec<Option<T>>, Problem> {
    let (dimensions, rest) = take(raw)?;
    // Whether there are NULLs, and the element type: neither tells more than the elements.
    let (_, rest): ([u8; 8], _) = take(rest)?;
    match i32::from_be_bytes(dimensions) {
        0 => return Ok(Vec::new()),
        1 => {}
        _ => return Err("an array of more than one dimension has no representation"),
    }
    // The length follows from the elements; the lower bound has no place in the interface.
    let (_, mut rest): ([u8; 8], _) = take(rest)?;
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (element, after) = item(rest)?;
        elements.push(element.map(value).transpose()?);
        rest = after;
    }
    Ok(elements)
}
