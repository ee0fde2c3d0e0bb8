//! What is written down when a change was not made, and why it was not.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::{Change, Refusal};
use crate::validate::Kept;

/// A change that matched no row.
pub(super) struct Attempt<'a> {
    pub(super) action: &'a str,
    pub(super) change: Change<'a>,
    /// The dates of birth and of registration that were sent; NULL for none.
    pub(super) dates: [ParameterValue; 2],
    /// What a replacement repeated of what it cannot change.
    pub(super) kept: Option<&'a Kept>,
    /// The address that nobody else may have; NULL for none.
    pub(super) email: ParameterValue,
}

/// Says why a change matched no row, and notes it.
///
/// This looks a moment after the change did. Should the patient have changed again in between, the
/// answer is still true of that moment: gone is gone, and what was stale stays stale.
pub(super) async fn find_out(
    database: &Database,
    access: &Access<'_>,
    attempt: Attempt<'_>,
) -> Result<Refusal, Fault> {
    let change = attempt.change;
    let what = [database::uuid(change.id), database::text(attempt.action)];
    let kept = attempt.kept.map_or_else(|| Kept::default().parameters(), Kept::parameters);
    let conditions = database::versions(change.expected).into_iter().chain(attempt.dates);
    let last = [attempt.email, change.sight.restricted()];
    let values = access.values(what.into_iter().chain(conditions).chain(kept).chain(last));
    let rows = database.query(include_str!("refusal.sql"), values).await?;
    let row = rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?;
    refusal(&row.text(0)?).ok_or_else(|| Fault::Other("verdict".to_owned()))
}

/// What a verdict of the statement's is to the caller.
fn refusal(verdict: &str) -> Option<Refusal> {
    Some(match verdict {
        "NOT_FOUND" => Refusal::NotFound,
        "STALE" => Refusal::Stale,
        "registeredDate" => Refusal::Fixed("/registeredDate"),
        "createdAt" => Refusal::Fixed("/createdAt"),
        "restricted" => Refusal::Fixed("/restricted"),
        "dateOfBirth" => Refusal::BornLater,
        "CONFLICT" => Refusal::EmailTaken,
        _ => return None,
    })
}

/// Notes a replacement that a taken e-mail address prevented. That statement has been undone as a
/// whole, so its audit row is written on its own.
pub(super) async fn note_conflict(
    database: &Database,
    access: &Access<'_>,
    id: &str,
) -> Result<(), Fault> {
    let values = access.values([database::uuid(id)]);
    database.execute(include_str!("conflict.sql"), values).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_of_the_statement_means_something() {
        let (verdicts, _) = include_str!("refusal.sql").split_once("END AS word").unwrap();
        let words: Vec<&str> = verdicts.split_whitespace().collect();
        let said = words.windows(2).filter(|pair| ["THEN", "ELSE"].contains(&pair[0]));
        let said = said.filter_map(|pair| pair[1].strip_prefix('\'')?.strip_suffix('\''));
        let said: Vec<&str> = said.collect();
        assert_eq!(said.len(), 10);
        for verdict in said {
            assert!(refusal(verdict).is_some(), "{verdict}");
        }
    }
}
