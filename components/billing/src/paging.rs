//! Where a page goes on, the same for both doors: a sealed id or version, which works only for the
//! list it was made for.

use kit::seal::Seal;
use kit::uuid;

/// What a cursor of the list of accounts is for.
const ACCOUNTS: &str = "accounts";

/// The cursor after this account; `None` only where there is no randomness to be had.
pub(crate) fn after_account(seal: &Seal, id: &str) -> Option<String> {
    seal.cursor(id, ACCOUNTS)
}

/// The account in a cursor.
pub(crate) fn account(seal: &Seal, cursor: &str) -> Option<String> {
    uuid::parse(&seal.position(cursor, ACCOUNTS)?)
}

/// The cursor after the entry that made this version of the account.
pub(crate) fn after_entry(seal: &Seal, account_id: &str, version: i64) -> Option<String> {
    seal.cursor(&version.to_string(), &statement_of(account_id))
}

/// The version in a cursor.
pub(crate) fn entry(seal: &Seal, account_id: &str, cursor: &str) -> Option<i64> {
    seal.position(cursor, &statement_of(account_id))?.parse().ok()
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
        let seal = &Seal::new(&[1; 32]).unwrap();
        let after = |id| after_account(seal, id).unwrap();
        assert_eq!(account(seal, &after(ID)).as_deref(), Some(ID));
        assert_eq!(account(seal, &after("x")), None);
        assert_eq!(account(seal, ID), None);
        let cursor = after_entry(seal, ID, 7).unwrap();
        assert_eq!(entry(seal, ID, &cursor), Some(7));
        assert_eq!(entry(seal, "other", &cursor), None);
        assert_eq!(account(seal, &cursor), None);
        assert_eq!(entry(seal, ID, &after(ID)), None);
        assert_eq!(entry(&Seal::new(&[2; 32]).unwrap(), ID, &cursor), None);
    }
}
