//! Booking: charges, payments, refunds, and reversals of any of them.

use kit::database::{self, Database};
use kit::etag::Expected;
use spin_sdk::pg::ParameterValue;

use super::Viewer;
use super::refusal::{self, Attempt};
use crate::failure::Failure;
use crate::limits::BALANCE_MAX_MINOR_UNITS;
use crate::model::{Entry, Kind};
use crate::service::Kept;

/// A charge, a payment or a refund to be booked: complete and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Booking {
    pub(crate) account_id: String,
    pub(crate) entry_id: String,
    pub(crate) kind: Kind,
    /// Above zero, whatever it is.
    pub(crate) minor_units: i64,
    pub(crate) currency: String,
    pub(crate) description: String,
    /// The versions of the account that are expected.
    pub(crate) expected: Expected,
}

/// An entry to be undone: complete and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Void {
    pub(crate) account_id: String,
    /// The id of the reversing entry.
    pub(crate) entry_id: String,
    pub(crate) reverses: String,
    pub(crate) description: String,
    /// The versions of the account that are expected.
    pub(crate) expected: Expected,
}

impl Booking {
    /// What it adds to the balance.
    fn signed(&self) -> i64 {
        match self.kind {
            Kind::Payment | Kind::Reversal => -self.minor_units,
            Kind::Charge | Kind::Refund => self.minor_units,
        }
    }
}

/// Books a charge, a payment or a refund, once: the entry that exists is the answer to a repeated
/// booking.
pub(crate) async fn book(
    database: &Database,
    viewer: &Viewer<'_>,
    booking: &Booking,
) -> Result<Kept<Entry>, Failure> {
    let amount = ParameterValue::Int64(booking.signed());
    let [among, besides] = database::versions(&booking.expected);
    let values = viewer.values([
        database::uuid(&booking.account_id),
        database::uuid(&booking.entry_id),
        database::text(booking.kind.name()),
        amount.clone(),
        database::text(&booking.currency),
        database::text(&booking.description),
        among,
        ParameterValue::Int64(BALANCE_MAX_MINOR_UNITS),
        viewer.access.trace(),
        besides,
    ]);
    let rows = database.query(include_str!("book.sql"), values).await?;
    if let Some(row) = rows.first() {
        return Ok(Kept { value: Entry::from_row(row, 0)?, new: true });
    }
    let attempt = Attempt {
        account_id: &booking.account_id,
        entry_id: &booking.entry_id,
        kind: booking.kind,
        amount,
        currency: database::text(&booking.currency),
        description: &booking.description,
        expected: &booking.expected,
        reverses: ParameterValue::DbNull,
    };
    refusal::find_out(database, viewer, attempt).await
}

/// Undoes an entry, once.
pub(crate) async fn void(
    database: &Database,
    viewer: &Viewer<'_>,
    void: &Void,
) -> Result<Kept<Entry>, Failure> {
    let [among, besides] = database::versions(&void.expected);
    let values = viewer.values([
        database::uuid(&void.account_id),
        database::uuid(&void.entry_id),
        database::uuid(&void.reverses),
        database::text(&void.description),
        among,
        ParameterValue::Int64(BALANCE_MAX_MINOR_UNITS),
        viewer.access.trace(),
        besides,
    ]);
    let rows = database.query(include_str!("void.sql"), values).await?;
    if let Some(row) = rows.first() {
        return Ok(Kept { value: Entry::from_row(row, 0)?, new: true });
    }
    let attempt = Attempt {
        account_id: &void.account_id,
        entry_id: &void.entry_id,
        kind: Kind::Reversal,
        // Both follow from the entry that is undone.
        amount: ParameterValue::DbNull,
        currency: ParameterValue::DbNull,
        description: &void.description,
        expected: &void.expected,
        reverses: database::uuid(&void.reverses),
    };
    refusal::find_out(database, viewer, attempt).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_and_refunds_add_and_a_payment_takes_away() {
        let check = |kind: Kind, expected: i64| {
            let booking = Booking {
                account_id: String::new(),
                entry_id: String::new(),
                kind,
                minor_units: 5,
                currency: String::new(),
                description: String::new(),
                expected: Expected::default(),
            };
            assert_eq!(booking.signed(), expected);
        };
        check(Kind::Charge, 5);
        check(Kind::Refund, 5);
        check(Kind::Payment, -5);
    }
}
