//! Values of WIT types as everything in the host passes them on. Nothing here knows a type's name:
//! fields, cases and flags go by their position, and the names live in the types.

/// A value of a WIT type, by position.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// `s8`
    S8(i8),
    /// `u8`
    U8(u8),
    /// `s16`
    S16(i16),
    /// `u16`
    U16(u16),
    /// `s32`
    S32(i32),
    /// `u32`
    U32(u32),
    /// `s64`
    S64(i64),
    /// `u64`
    U64(u64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `char`
    Char(char),
    /// `string`
    String(String),
    /// `list<u8>`
    Bytes(Vec<u8>),
    /// `list<T>` for every other `T`
    List(Vec<Value>),
    /// `record`, its fields in order of declaration
    Record(Vec<Value>),
    /// `tuple`, its elements in order
    Tuple(Vec<Value>),
    /// `variant`: which case, counted from 0, and its payload if it has one
    Variant(u32, Option<Box<Value>>),
    /// `enum`: which case, counted from 0
    Enum(u32),
    /// `option`
    Option(Option<Box<Value>>),
    /// `result`, with payloads where its type has them
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
    /// `flags`: for each in order of declaration whether it is set
    Flags(Vec<bool>),
}
