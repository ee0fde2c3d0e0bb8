//! What is written down when nothing was booked, and why it was not.

use kit::database::{self, Database, Fault};
use kit::etag::Expected;
use spin_sdk::pg::ParameterValue;

use super::{Viewer, first};
use crate::failure::{Failure, Refusal};
use crate::limits::BALANCE_MAX_MINOR_UNITS;
use crate::model::{Entry, Kind};
use crate::service::Kept;

/// The verdict on a booking that had been made before.
const REPEATED: &str = "REPEATED";

/// A booking that was not made.
pub(super) struct Attempt<'a> {
    pub(super) account_id: &'a str,
    pub(super) entry_id: &'a str,
    pub(super) kind: Kind,
    pub(super) amount: ParameterValue,
    pub(super) currency: ParameterValue,
    pub(super) description: &'a str,
    pub(super) expected: &'a Expected,
    pub(super) reverses: ParameterValue,
}

/// Says why nothing was booked, and notes it. A booking that had been made before is no refusal:
/// its entry is the answer, whatever has become of the account since.
///
/// This looks a moment after the attempt. What was in its way may be gone by then; as nothing was
/// booked, the same request may simply be made again.
pub(super) async fn find_out(
    database: &Database,
    viewer: &Viewer<'_>,
    attempt: Attempt<'_>,
) -> Result<Kept<Entry>, Failure> {
    let [among, besides] = database::versions(attempt.expected);
    let values = viewer.values([
        database::uuid(attempt.account_id),
        database::uuid(attempt.entry_id),
        database::text(attempt.kind.name()),
        attempt.amount,
        attempt.currency,
        database::text(attempt.description),
        among,
        ParameterValue::Int64(BALANCE_MAX_MINOR_UNITS),
        attempt.reverses,
        besides,
    ]);
    let rows = database.query(include_str!("refusal.sql"), values).await?;
    let row = first(&rows)?;
    match row.text(0)?.as_str() {
        REPEATED => Ok(Kept { value: Entry::from_row(row, 1)?, new: false }),
        verdict => Err(failure(verdict)),
    }
}

/// What a verdict of the statement's is to the caller.
fn failure(verdict: &str) -> Failure {
    let refusal = match verdict {
        "NO_ACCOUNT" => Refusal::NoAccount,
        "NO_ENTRY" => Refusal::NoEntry,
        "ID_USED" => Refusal::IdUsed,
        "CURRENCY" => Refusal::Currency,
        "STALE" => Refusal::Stale,
        "NOT_REVERSIBLE" => Refusal::NotReversible,
        "NOT_ACTIVE" => Refusal::NotActive,
        "NOT_PAID" => Refusal::NotPaid,
        "GIVEN_BACK" => Refusal::GivenBack,
        "LIMIT" => Refusal::Limit,
        "AGAIN" => return Fault::Unavailable("overtaken".to_owned()).into(),
        _ => return Fault::Other("verdict".to_owned()).into(),
    };
    refusal.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_of_the_statement_means_something_of_its_own() {
        let (verdicts, _) = include_str!("refusal.sql").split_once("END AS word").unwrap();
        let words: Vec<&str> = verdicts.split_whitespace().collect();
        let said = words.windows(2).filter(|pair| ["THEN", "ELSE"].contains(&pair[0]));
        let said = said.filter_map(|pair| pair[1].strip_prefix('\'')?.strip_suffix('\''));
        let (repeated, refused): (Vec<_>, Vec<_>) = said.partition(|word| *word == REPEATED);
        assert_eq!((repeated.len(), refused.len()), (1, 11));
        let mut meanings = vec![failure("anything else")];
        for word in refused {
            assert!(!meanings.contains(&failure(word)), "{word}");
            meanings.push(failure(word));
        }
    }
}
