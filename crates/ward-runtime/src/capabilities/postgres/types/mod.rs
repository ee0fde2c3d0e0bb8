//! PostgreSQL's values and the interface's values, both ways, by PostgreSQL's binary format. The
//! formats are decoded here rather than by a value library, because each library loses something:
//! a 96-bit decimal, a year beyond 262143, an unknown type's bytes. No function here panics on what
//! a server or a guest sends; a message names types and positions and never a value.

mod calendar;
mod decode;
mod encode;
mod numeric;

#[cfg(test)]
mod tests;

use tokio_postgres::types::{Kind, Type};

pub(crate) use decode::{Raw, decode};
pub(crate) use encode::{Encoded, encode};

use crate::capabilities::bindings::postgres::DbDataType;

/// How a column's bytes are read: [`Type`] narrowed to what the interface can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Bool,
    Char,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Text,
    Bytes,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    Jsonb,
    Numeric,
    Int4Range,
    Int8Range,
    NumericRange,
    Int4Array,
    Int8Array,
    NumericArray,
    TextArray,
    Interval,
    /// The interface has no name for it: the guest gets the bytes as they came.
    Other,
}

impl Codec {
    /// How values of `ty` are read.
    pub(crate) fn of(ty: &Type) -> Codec {
        match *ty {
            Type::BOOL => Codec::Bool,
            Type::CHAR => Codec::Char,
            Type::INT2 => Codec::Int2,
            Type::INT4 => Codec::Int4,
            Type::INT8 => Codec::Int8,
            Type::FLOAT4 => Codec::Float4,
            Type::FLOAT8 => Codec::Float8,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => Codec::Text,
            Type::BYTEA => Codec::Bytes,
            Type::DATE => Codec::Date,
            Type::TIME => Codec::Time,
            Type::TIMESTAMP => Codec::Timestamp,
            Type::TIMESTAMPTZ => Codec::TimestampTz,
            Type::UUID => Codec::Uuid,
            Type::JSONB => Codec::Jsonb,
            Type::NUMERIC => Codec::Numeric,
            Type::INT4_RANGE => Codec::Int4Range,
            Type::INT8_RANGE => Codec::Int8Range,
            Type::NUM_RANGE => Codec::NumericRange,
            Type::INT4_ARRAY => Codec::Int4Array,
            Type::INT8_ARRAY => Codec::Int8Array,
            Type::NUMERIC_ARRAY => Codec::NumericArray,
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => Codec::TextArray,
            Type::INTERVAL => Codec::Interval,
            _ => Codec::Other,
        }
    }
}

/// The interface's name for `ty`.
pub(crate) fn data_type(ty: &Type) -> DbDataType {
    match Codec::of(ty) {
        Codec::Bool => DbDataType::Boolean,
        Codec::Char => DbDataType::Int8,
        Codec::Int2 => DbDataType::Int16,
        Codec::Int4 => DbDataType::Int32,
        Codec::Int8 => DbDataType::Int64,
        Codec::Float4 => DbDataType::Floating32,
        Codec::Float8 => DbDataType::Floating64,
        Codec::Text => DbDataType::Str,
        Codec::Bytes => DbDataType::Binary,
        Codec::Date => DbDataType::Date,
        Codec::Time => DbDataType::Time,
        Codec::Timestamp => DbDataType::Datetime,
        Codec::TimestampTz => DbDataType::Timestamp,
        Codec::Uuid => DbDataType::Uuid,
        Codec::Jsonb => DbDataType::Jsonb,
        Codec::Numeric => DbDataType::Decimal,
        Codec::Int4Range => DbDataType::RangeInt32,
        Codec::Int8Range => DbDataType::RangeInt64,
        Codec::NumericRange => DbDataType::RangeDecimal,
        Codec::Int4Array => DbDataType::ArrayInt32,
        Codec::Int8Array => DbDataType::ArrayInt64,
        Codec::NumericArray => DbDataType::ArrayDecimal,
        Codec::TextArray => DbDataType::ArrayStr,
        Codec::Interval => DbDataType::Interval,
        Codec::Other => DbDataType::Other(ty.name().to_owned()),
    }
}

/// The type a parameter is sent as: a domain takes what its base type takes.
fn base(ty: &Type) -> &Type {
    let mut ty = ty;
    while let Kind::Domain(inner) = ty.kind() {
        ty = inner;
    }
    ty
}

/// Flags of a range's first byte.
mod range {
    pub(super) const EMPTY: u8 = 0x01;
    pub(super) const LOWER_INCLUSIVE: u8 = 0x02;
    pub(super) const UPPER_INCLUSIVE: u8 = 0x04;
    pub(super) const LOWER_INFINITE: u8 = 0x08;
    pub(super) const UPPER_INFINITE: u8 = 0x10;
}
