//! Where a page goes on, the same for both doors: a cursor that holds an id or a version, and works
//! only for the list it was made for.

use kit::{page, uuid};

/// What a cursor of the list of accounts is for.
const ACCOUNTS: &str = "accounts";

/// The cursor after this account.
pub(crate) fn after_account(id: &str) -> String {
    page::cursor(id, ACCOUNTS)
}

/// The account in a cursor.
pub(crate) fn account(cursor: &str) -> Option<String> {
    uuid::parse(&page::position(cursor, ACCOUNTS)?)
}

/// The cursor after the entry that made this version of the account.
pub(crate) fn after_entry(account_id: &str, version: i64) -> String {
    page::cursor(&version.to_string(), &statement_of(account_id))
}

/// The version in a cursor.
pub(crate) fn entry(account_id: &str, cursor: &str) -> Option<i64> {
    page::position(cursor, &statement_of(account_id))?.parse().ok()
}

fn statement_of(account_id: &str) -> String {
    format!("statement {account_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    #[test]
    fn a_cursor_belongs_to_its_list() {
        assert_eq!(account(&after_account(ID)).as_deref(), Some(ID));
        assert_eq!(account(&after_account("x")), None);
        assert_eq!(account(ID), None);
        let cursor = after_entry(ID, 7);
        assert_eq!(entry(ID, &cursor), Some(7));
        assert_eq!(entry("other", &cursor), None);
        assert_eq!(account(&cursor), None);
        assert_eq!(entry(ID, &after_account(ID)), None);
    }
}
