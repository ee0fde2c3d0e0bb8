//! An account with its ledger, oldest entry first.

use kit::database::{self, Database, Fault};
use spin_sdk::pg::ParameterValue;

use super::Viewer;
use super::list::{Page, wanted};
use crate::model::{Account, Entry};

/// Columns of an account in a row, before those of an entry.
const ACCOUNT_COLUMNS: usize = 8;

/// An account as it is now, and a page of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) account: Account,
    pub(crate) entries: Page<Entry>,
}

/// The entries after the one that made this version of the account; 0 for the first page. `limit`
/// is at most [`kit::page::LIMIT_MAX`].
///
/// Entries of one account are committed in order of their versions, so that no entry can turn up
/// before a place that somebody has read past.
pub(crate) async fn statement(
    database: &Database,
    viewer: &Viewer<'_>,
    account_id: &str,
    limit: u32,
    after_version: i64,
) -> Result<Option<Statement>, Fault> {
    let from = ParameterValue::Int64(after_version);
    let values = viewer.values([database::uuid(account_id), wanted(limit), from]);
    let rows = database.query(include_str!("statement.sql"), values).await?;
    let Some(account) = rows.first().map(Account::from_row).transpose()? else { return Ok(None) };
    let mut items = Vec::new();
    for row in &rows {
        // An account without entries has one row with an empty half.
        if row.optional_uuid(ACCOUNT_COLUMNS)?.is_some() {
            items.push(Entry::from_row(row, ACCOUNT_COLUMNS)?);
        }
    }
    Ok(Some(Statement { account, entries: Page::of(items, limit) }))
}
