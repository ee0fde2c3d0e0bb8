//! Values ⇄ protobuf's JSON form, directly, by the same plans as the bytes: names in lowerCamel, 64
//! bits as strings, bytes in base64, enums by name, a oneof as the one key that is set.

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
