//! How long sessions last and how much of them there is, each number with its reason.

/// Largest login or refresh read, in bytes (4 KiB): an address of 254 characters and a password of
/// 1,024 bytes, and much of either escaped.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 4096;

/// A session that nobody refreshes for so long is over: somebody left a computer. Clients that are
/// in use refresh every quarter of an hour, when an access token ends.
pub(crate) const IDLE_SECONDS: i64 = 60 * 60;

/// A session is over then whatever happens: a long shift.
pub(crate) const SESSION_SECONDS: i64 = 12 * 60 * 60;

/// Most refreshes of one session, because the tokens that were replaced are kept for as long as it
/// lasts. In twelve hours 48 are needed.
pub(crate) const REFRESHES_MAX: i64 = 1000;

/// For how long the token before the newest is taken for that of somebody who asked at the same
/// time: two windows of one browser, or an answer that was lost.
pub(crate) const RACE_SECONDS: i64 = 10;

/// For how long after its last access token's end a session that has ended is announced: clocks may
/// differ by 10 s both ways, and a minute costs nothing.
pub(crate) const ANNOUNCED_BEYOND_SECONDS: i64 = 60;

/// Sessions announced, and sessions removed, in one go.
pub(crate) const BATCH: i64 = 64;

/// Sessions shown: nobody has more that they look through.
pub(crate) const SHOWN_MAX: i64 = 100;

/// For how long somebody who has logged in from an address is known there: a month has everybody's
/// holidays in it.
pub(crate) const KNOWN_SECONDS: i64 = 30 * 24 * 60 * 60;

/// How often a login is tried while somebody else changes the user: once more finds what was
/// changed, another time somebody who changes it again.
pub(crate) const ROUNDS_MAX: u32 = 3;
