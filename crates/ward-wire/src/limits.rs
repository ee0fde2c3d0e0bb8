//! Every limit on what a client or a contract can make this crate hold or do, in one place.

/// The longest message that is decoded, in bytes: 4 MiB, what gRPC libraries take by default.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// How many values one message may decode to. A byte of a message can become a value of 32 bytes
/// (a packed `repeated bool`) and two bytes a record of many defaults, so the message's size alone
/// is no limit on memory: a million values are 32 MiB.
pub const VALUES_MAX: usize = 1 << 20;

/// How deep messages may be nested in messages. Protobuf libraries stop at 100; WIT types cannot
/// recurse, so the depth is known when a service is derived and is refused there.
pub(crate) const DEPTH_MAX: usize = 64;

/// How many values a message may have when nothing of it was sent. Records that hold records twice
/// double with each level, so that 40 lines of WIT could fill any memory.
pub(crate) const DEFAULT_VALUES_MAX: usize = 10_000;

/// The longest name of a message that is made for a type without one, in bytes. Types share parts,
/// so that the names of a few lines of WIT could be longer than any memory; and some languages make
/// a file of each message, which may have 255.
pub(crate) const NAME_BYTES_MAX: usize = 200;

/// The longest name that is repeated to a sender who made it up, in bytes.
pub(crate) const UNKNOWN_NAME_BYTES_MAX: usize = 64;
