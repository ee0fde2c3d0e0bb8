//! Listing accounts by keyset: a page begins after an id, found in the primary key's index.

use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::Viewer;
use crate::model::Account;

/// The id before all others, which no account has.
const BEFORE_ALL: &str = "00000000-0000-0000-0000-000000000000";

/// One page of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Whether another page follows.
    pub(crate) more: bool,
}

impl<T> Page<T> {
    /// The first `limit` of what was read, which is [one more](wanted) where others follow.
    pub(super) fn of(mut items: Vec<T>, limit: u32) -> Self {
        let more = kit::page::cut(&mut items, limit);
        Self { items, more }
    }
}

/// Accounts in order of their ids. `limit` is at most [`kit::page::LIMIT_MAX`].
pub(crate) async fn list(
    database: &Database,
    viewer: &Viewer<'_>,
    limit: u32,
    after: Option<&str>,
) -> Result<Page<Account>, Fault> {
    let after = database::uuid(after.unwrap_or(BEFORE_ALL));
    let values = viewer.values([wanted(limit), after]);
    let rows = database.query(include_str!("list.sql"), values).await?;
    let accounts = rows.iter().map(Account::from_row).collect::<Result<_, _>>()?;
    Ok(Page::of(accounts, limit))
}

/// One row more than is shown, to learn whether more follow.
pub(super) fn wanted(limit: u32) -> ParameterValue {
    ParameterValue::Int64(i64::from(limit) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_follows_where_more_was_read_than_is_shown() {
        let ParameterValue::Int64(read) = wanted(2) else { panic!("no number") };
        assert_eq!(Page::of((0..read).collect(), 2), Page { items: vec![0, 1], more: true });
        assert_eq!(Page::of(vec![0, 1], 2), Page { items: vec![0, 1], more: false });
    }

    #[test]
    fn the_statements_read_no_further_than_the_longest_page() {
        let limit = format!("LIMIT {}\n", kit::page::LIMIT_MAX + 1);
        for statement in [include_str!("list.sql"), include_str!("statement.sql")] {
            assert_eq!(statement.matches(&limit).count(), 1, "{statement}");
        }
    }
}
