//! The accounts' tables, and nothing about HTTP or WIT.
//!
//! Each operation is one statement, which changes or reads accounts and writes the audit row, and
//! the event of a change, at once. They commit together or not at all, in one round trip and with
//! no transaction that could be left open. (A data-modifying `WITH` runs to its end whether or not
//! it is read from.) A booking that was not made takes a second statement, which says why and notes
//! that. The texts are the `.sql` files beside the functions.
//!
//! In every statement that an audit row comes of, `$1` to `$5` are the caller, as
//! [`kit::audit::Access`] gives them, and `$6` is what is asked for. Where the accounts of
//! restricted patients may not be there for the caller, the last one says whether they are.
//! Parameters are cast, as the portability rules ask.

mod book;
mod list;
mod open;
mod read;
mod refusal;
mod restrict;
mod statement;
mod viewer;

pub(crate) use book::{Booking, Void, book, void};
pub(crate) use list::{Page, list};
pub(crate) use open::{Wish, close, close_all, existing, known, open, open_all};
pub(crate) use read::{read, read_of_patient};
pub(crate) use restrict::{Restriction, restrict_all};
pub(crate) use statement::{Statement, statement};
pub(crate) use viewer::Viewer;

use kit::database::{Fault, Row};

/// A statement that always has a row came back without one.
fn first(rows: &[Row]) -> Result<&Row, Fault> {
    rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))
}
