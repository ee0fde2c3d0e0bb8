//! `pms:billing/accounts`: accounts and their ledgers.

use kit::etag::Expected;
use kit::page;
use policy::grpc::ACCOUNTS;

use super::violations::Violations;
use super::{Component, caller, convert, failed};
use crate::bindings::exports::pms::billing::accounts::{
    Account, AccountPage, Entry, Guest, ListAccountsRequest, Posting, Statement, StatementRequest,
    VoidRequest,
};
use crate::bindings::pms::common::types::{Caller, Error};
use crate::model::Kind;
use crate::store::{Booking, Void};
use crate::{check, paging, service};

impl Guest for Component {
    async fn get_account(by: Caller, account_id: String) -> Result<Account, Error> {
        let caller = caller(&by, ACCOUNTS, "get-account")?;
        let id = Violations::single("account-id", check::id(&account_id))?;
        let found = service::account(&caller, &id).await;
        Ok(convert::account(found.map_err(failed(&caller, "billing.account"))?))
    }

    async fn get_patient_account(by: Caller, patient_id: String) -> Result<Account, Error> {
        let caller = caller(&by, ACCOUNTS, "get-patient-account")?;
        let id = Violations::single("patient-id", check::id(&patient_id))?;
        let found = service::patient_account(&caller, &id).await;
        Ok(convert::account(found.map_err(failed(&caller, "billing.patient-account"))?))
    }

    async fn list_accounts(by: Caller, request: ListAccountsRequest) -> Result<AccountPage, Error> {
        let caller = caller(&by, ACCOUNTS, "list-accounts")?;
        let failed = failed(&caller, "billing.list");
        let seal = service::seal().await.map_err(&failed)?;
        let mut violations = Violations::default();
        let limit = violations.take("limit", limit(request.limit));
        let read = |cursor: &str| paging::account(&seal, cursor);
        let after = violations.take("after", position(&request.after, read));
        let (limit, after) = violations.whole(limit.zip(after))?;
        let page = service::list(&caller, limit, after.as_deref()).await.map_err(&failed)?;
        let last = page.items.last().filter(|_| page.more);
        let next = next(last, |account| paging::after_account(&seal, &account.id))?;
        Ok(AccountPage { accounts: page.items.into_iter().map(convert::account).collect(), next })
    }

    async fn post_charge(by: Caller, request: Posting) -> Result<Entry, Error> {
        book(caller(&by, ACCOUNTS, "post-charge")?, request, Kind::Charge).await
    }

    async fn record_payment(by: Caller, request: Posting) -> Result<Entry, Error> {
        book(caller(&by, ACCOUNTS, "record-payment")?, request, Kind::Payment).await
    }

    async fn record_refund(by: Caller, request: Posting) -> Result<Entry, Error> {
        book(caller(&by, ACCOUNTS, "record-refund")?, request, Kind::Refund).await
    }

    async fn void_entry(by: Caller, request: VoidRequest) -> Result<Entry, Error> {
        let caller = caller(&by, ACCOUNTS, "void-entry")?;
        let void = void(&request)?;
        let made = service::void(&caller, &void).await;
        Ok(convert::entry(made.map_err(failed(&caller, "billing.void"))?.value))
    }

    async fn get_statement(by: Caller, request: StatementRequest) -> Result<Statement, Error> {
        let caller = caller(&by, ACCOUNTS, "get-statement")?;
        let failed = failed(&caller, "billing.statement");
        let seal = service::seal().await.map_err(&failed)?;
        let mut violations = Violations::default();
        let id = violations.take("account-id", check::id(&request.account_id));
        let limit = violations.take("limit", limit(request.limit));
        let place = |cursor: &str| paging::entry(&seal, id.as_deref()?, cursor);
        let after = violations.take("after", position(&request.after, place));
        let parts = || Some((id.clone()?, limit?, after?.unwrap_or(0)));
        let (id, limit, after) = violations.whole(parts())?;
        let found = service::statement(&caller, &id, limit, after).await.map_err(&failed)?;
        let last = found.entries.items.last().filter(|_| found.entries.more);
        let next = next(last, |entry| paging::after_entry(&seal, &id, entry.account_version))?;
        Ok(convert::statement(found, next))
    }
}

async fn book(caller: kit::caller::Caller, request: Posting, kind: Kind) -> Result<Entry, Error> {
    let booking = booking(&request, kind)?;
    let made = service::book(&caller, &booking).await;
    Ok(convert::entry(made.map_err(failed(&caller, "billing.book"))?.value))
}

fn booking(request: &Posting, kind: Kind) -> Result<Booking, Error> {
    let mut violations = Violations::default();
    let account_id = violations.take("account-id", check::id(&request.account_id));
    let entry_id = violations.take("entry-id", check::id(&request.entry_id));
    let amount = check::minor_units(request.amount.minor_units);
    let minor_units = violations.take("amount.minor-units", amount);
    let currency = check::currency(&request.amount.currency);
    let currency = violations.take("amount.currency", currency);
    let description = violations.take("description", check::description(&request.description));
    let booking = || {
        Some(Booking {
            account_id: account_id?,
            entry_id: entry_id?,
            kind,
            minor_units: minor_units?,
            currency: currency?,
            description: description?,
            expected: Expected::default(),
        })
    };
    violations.whole(booking())
}

fn void(request: &VoidRequest) -> Result<Void, Error> {
    let mut violations = Violations::default();
    let account_id = violations.take("account-id", check::id(&request.account_id));
    let entry_id = violations.take("entry-id", check::id(&request.entry_id));
    let reverses = violations.take("reverses", check::id(&request.reverses));
    let description = violations.take("description", check::description(&request.description));
    let void = || {
        Some(Void {
            account_id: account_id?,
            entry_id: entry_id?,
            reverses: reverses?,
            description: description?,
            expected: Expected::default(),
        })
    };
    violations.whole(void())
}

/// How many to show; 0 leaves it to us.
fn limit(given: u32) -> Result<u32, String> {
    match given {
        0 => Ok(page::LIMIT_DEFAULT),
        1..=page::LIMIT_MAX => Ok(given),
        _ => Err(format!("must be at most {}", page::LIMIT_MAX)),
    }
}

/// Where to go on; nowhere in particular when the text is empty.
fn position<T>(cursor: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, String> {
    if cursor.is_empty() {
        return Ok(None);
    }
    read(cursor).map(Some).ok_or_else(|| "must be the next of a page of the same list".to_owned())
}

/// The cursor of the next page, or the empty text where this was the last.
fn next<T>(last: Option<&T>, cursor: impl FnOnce(&T) -> Option<String>) -> Result<String, Error> {
    let Some(last) = last else { return Ok(String::new()) };
    cursor(last).ok_or_else(|| Error::Internal("The next page cannot be linked.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::exports::pms::billing::accounts::Money;
    use kit::seal::Seal;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    fn fields(found: Result<impl Sized, Error>) -> Vec<String> {
        match found {
            Ok(_) => Vec::new(),
            Err(Error::InvalidArgument(violations)) => {
                violations.into_iter().map(|violation| violation.field).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn posting(id: &str, minor_units: i64, currency: &str, description: &str) -> Posting {
        Posting {
            account_id: id.to_owned(),
            entry_id: id.to_owned(),
            amount: Money { minor_units, currency: currency.to_owned() },
            description: description.to_owned(),
        }
    }

    #[test]
    fn everything_wrong_is_told_by_the_interfaces_names() {
        let right = booking(&posting(ID, 1, "EUR", "x"), Kind::Charge);
        assert_eq!(right.unwrap().minor_units, 1);
        let all =
            ["account-id", "entry-id", "amount.minor-units", "amount.currency", "description"];
        assert_eq!(fields(booking(&posting("", 0, "", ""), Kind::Payment)), all);
        let request = VoidRequest {
            account_id: String::new(),
            entry_id: String::new(),
            reverses: String::new(),
            description: String::new(),
        };
        assert_eq!(fields(void(&request)), ["account-id", "entry-id", "reverses", "description"]);
    }

    #[test]
    fn pages() {
        assert_eq!(limit(0), Ok(50));
        assert_eq!(limit(1), Ok(1));
        assert_eq!(limit(500), Ok(500));
        assert!(limit(501).is_err());
        let seal = Seal::new(&[1; 32]).unwrap();
        let read = |cursor: &str| position(cursor, |cursor| paging::account(&seal, cursor));
        assert_eq!(read(""), Ok(None));
        let cursor = next(Some(&ID), |id| paging::after_account(&seal, id)).unwrap();
        assert_eq!(read(&cursor), Ok(Some(ID.to_owned())));
        assert!(read("x").is_err());
        assert_eq!(next(None::<&()>, |()| None).unwrap(), "");
        assert!(next(Some(&()), |()| None).is_err());
    }
}
