//! How results are worded: entity tags, links, and a problem for each refusal.

use ::http::header::{CONTENT_LOCATION, ETAG};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use kit::problem::{CONFLICT, FieldError, Kind, NOT_FOUND, VALIDATION};
use kit::{Problem, Reply, etag, reply};

use super::ACCOUNTS;
use crate::failure::{Failure, Refusal};
use crate::model::Account;

/// The account takes no charges.
const NOT_ACTIVE: Kind =
    Kind::new("account-not-active", "The account is suspended or closed", StatusCode::CONFLICT);
/// The entry is a reversal, or was undone before.
const NOT_REVERSIBLE: Kind =
    Kind::new("entry-not-reversible", "The entry cannot be undone", StatusCode::CONFLICT);
/// More would be given back than was paid.
const NOT_PAID: Kind =
    Kind::new("refund-not-covered", "Less was paid than would be given back", StatusCode::CONFLICT);
/// The balance would pass its limit.
const LIMIT: Kind =
    Kind::new("balance-limit", "The balance would pass its limit", StatusCode::CONFLICT);

/// An account with its entity tag.
pub(super) fn account(account: &Account) -> Reply {
    let mut answer = reply::json(StatusCode::OK, account);
    answer.headers_mut().insert(ETAG, etag::of(account.version));
    answer
}

/// An account that was asked for in another way than by its id, with its own address.
pub(super) fn account_of(patients: &Account) -> Reply {
    let mut answer = account(patients);
    if let Ok(address) = HeaderValue::try_from(format!("{ACCOUNTS}/{}", patients.id)) {
        answer.headers_mut().insert(CONTENT_LOCATION, address);
    }
    answer
}

/// The problem that a failure is. What a fault was is for the log: see [`super::handlers`].
pub(super) fn problem(failure: &Failure, request: &HeaderMap) -> Problem {
    match failure {
        Failure::Fault(fault) => Problem::from(fault),
        Failure::Refused(refusal) => refused(*refusal, request),
    }
}

fn refused(refusal: Refusal, request: &HeaderMap) -> Problem {
    match refusal {
        Refusal::NoPatient => Problem::new(NOT_FOUND)
            .detail("There is no account: billing has heard of no such patient, or not yet."),
        Refusal::PatientLives => Problem::new(CONFLICT)
            .detail("An account is closed when its patient is deleted, and this one was not."),
        Refusal::NoAccount => Problem::new(NOT_FOUND).detail("There is no such account."),
        Refusal::NoEntry => Problem::new(NOT_FOUND)
            .detail("The account has no such entry.")
            .errors(vec![FieldError::at("/reverses", "is no entry of this account")]),
        Refusal::IdUsed => Problem::new(CONFLICT)
            .detail("The id was used before, for an entry with other content.")
            .errors(vec![FieldError::at("/id", "is in use")]),
        Refusal::Currency => Problem::new(VALIDATION)
            .detail("The fields named in errors have to be corrected.")
            .errors(vec![FieldError::at("/amount/currency", "must be the account's currency")]),
        Refusal::Stale => etag::stale(request, "The account"),
        Refusal::NotReversible => Problem::new(NOT_REVERSIBLE)
            .detail("An entry can be undone once, and a reversal cannot."),
        Refusal::NotActive => Problem::new(NOT_ACTIVE)
            .detail("The account takes payments, refunds and corrections, and no charges."),
        Refusal::NotPaid => Problem::new(NOT_PAID)
            .detail("A refund is at most what was paid and has not been given back.")
            .errors(vec![FieldError::at("/amount/minorUnits", "is more than that")]),
        Refusal::GivenBack => Problem::new(NOT_PAID)
            .detail("What was paid has been given back, in part or whole. Undo the refund first."),
        Refusal::Limit => Problem::new(LIMIT)
            .detail("No account owes, or is owed, as much as it would after this entry."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_codes() {
        let check = |refusal: Refusal, status: u16| {
            let problem = problem(&Failure::Refused(refusal), &HeaderMap::new());
            assert_eq!(problem.kind().status.as_u16(), status, "{refusal:?}");
        };
        check(Refusal::NoPatient, 404);
        check(Refusal::PatientLives, 409);
        check(Refusal::NoAccount, 404);
        check(Refusal::NoEntry, 404);
        check(Refusal::IdUsed, 409);
        check(Refusal::Currency, 400);
        check(Refusal::Stale, 412);
        check(Refusal::NotReversible, 409);
        check(Refusal::NotActive, 409);
        check(Refusal::NotPaid, 409);
        check(Refusal::GivenBack, 409);
        check(Refusal::Limit, 409);
    }
}
