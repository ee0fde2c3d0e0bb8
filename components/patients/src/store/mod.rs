//! The statements. Each operation is one of them, so that what it reads or changes, the audit row
//! and the event commit together or not at all, in one round trip and with no transaction that
//! could be left open. (A data-modifying `WITH` runs to its end whether or not it is read from.)
//! The texts are the `.sql` files beside the functions.
//!
//! In every statement `$1` to `$5` are the caller, as [`kit::audit::Access`] gives them, and `$6`
//! is the patient's id where there is one. Parameters are cast, as the portability rules ask.

mod address;
mod create;
mod delete;
mod erase;
mod list;
mod read;
mod recall;
mod refusal;
mod replace;
mod restrict;

pub(crate) use create::{Made, create};
pub(crate) use delete::delete;
pub(crate) use erase::erase;
pub(crate) use list::{Position, list};
pub(crate) use read::read;
pub(crate) use replace::replace;
pub(crate) use restrict::restrict;

use kit::database::Fault;
use kit::etag::Expected;

use crate::sight::Sight;

/// The unique index that two living patients with one e-mail address would break.
const EMAIL_INDEX: &str = "patients_email_key";

/// Why a change was not made. Each has left its audit row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such patient, or no longer.
    NotFound,
    /// `If-Match` or `If-None-Match` does not hold for the present version.
    Stale,
    /// Another living patient has the e-mail address.
    EmailTaken,
    /// The request's key was used for another document.
    KeyReused,
    /// What cannot change was sent with another value; the pointer to it.
    Fixed(&'static str),
    /// The date of birth is after the registration.
    BornLater,
}

/// Whom a change is about, as far as the caller sees them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) id: &'a str,
    /// The versions that are expected.
    pub(crate) expected: &'a Expected,
    pub(crate) sight: Sight,
}

/// A change, made or refused.
pub(crate) type Outcome<T> = Result<T, Refusal>;

/// What a duplicate key means to the caller, if it is the one a caller can cause.
fn is_email_taken(fault: &Fault) -> bool {
    matches!(fault, Fault::Duplicate(index) if index == EMAIL_INDEX)
}
