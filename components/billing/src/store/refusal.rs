//! What is written down when nothing was booked, and why it was not.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::first;
use crate::failure::{Failure, Refusal};
use crate::limits::BALANCE_MAX_MINOR_UNITS;
use crate::model::{Entry, Kind};
use crate::service::Kept;

/// A booking that was not made.
pub(super) struct Attempt<'a> {
    pub(super) account_id: &'a str,
    pub(super) entry_id: &'a str,
    pub(super) kind: Kind,
    pub(super) amount: ParameterValue,
    pub(super) currency: ParameterValue,
    pub(super) description: &'a str,
    pub(super) versions: ParameterValue,
    pub(super) reverses: ParameterValue,
}

/// Says why nothing was booked, and notes it. A booking that had been made before is no refusal:
/// its entry is the answer, whatever has become of the account since.
///
/// This looks a moment after the attempt. What was in its way may be gone by then; as nothing was
/// booked, the same request may simply be made again.
pub(super) async fn find_out(
    database: &Database,
    access: &Access<'_>,
    attempt: Attempt<'_>,
) -> Result<Kept<Entry>, Failure> {
    let values = access.values([
        database::uuid(attempt.account_id),
        database::uuid(attempt.entry_id),
        database::text(attempt.kind.name()),
        attempt.amount,
        attempt.currency,
        database::text(attempt.description),
        attempt.versions,
        ParameterValue::Int64(BALANCE_MAX_MINOR_UNITS),
        attempt.reverses,
    ]);
    let rows = database.query(include_str!("refusal.sql"), values).await?;
    let row = first(&rows)?;
    let refusal = match row.text(0)?.as_str() {
        "REPEATED" => return Ok(Kept { value: Entry::from_row(row, 1)?, new: false }),
        "NO_ACCOUNT" => Refusal::NoAccount,
        "NO_ENTRY" => Refusal::NoEntry,
        "ID_USED" => Refusal::IdUsed,
        "CURRENCY" => Refusal::Currency,
        "STALE" => Refusal::Stale,
        "NOT_REVERSIBLE" => Refusal::NotReversible,
        "NOT_ACTIVE" => Refusal::NotActive,
        "LIMIT" => Refusal::Limit,
        "AGAIN" => return Err(Fault::Unavailable("overtaken".to_owned()).into()),
        _ => return Err(Fault::Other("verdict".to_owned()).into()),
    };
    Err(refusal.into())
}

/// Notes a booking that the caller may not make.
pub(crate) async fn note_denied(
    database: &Database,
    access: &Access<'_>,
    kind: Kind,
    account_id: &str,
    entry_id: &str,
) -> Result<(), Fault> {
    let action = if kind == Kind::Reversal { "VOID" } else { kind.name() };
    let values = access.values([
        database::text(action),
        database::uuid(account_id),
        database::uuid(entry_id),
    ]);
    database.execute(include_str!("denied.sql"), values).await?;
    Ok(())
}
