//! Billing's own types as those of the interfaces.

use crate::bindings::exports::pms::billing::accounts as wit;
use crate::bindings::pms::common::types::{Error, FieldViolation};
use crate::failure::{Failure, Refusal};
use crate::model::{Account, Entry, Kind, Money, Status};
use crate::store::Statement;

pub(super) fn account(account: Account) -> wit::Account {
    wit::Account {
        id: account.id,
        patient_id: account.patient_id,
        status: match account.status {
            Status::Active => wit::AccountStatus::Active,
            Status::Suspended => wit::AccountStatus::Suspended,
            Status::Closed => wit::AccountStatus::Closed,
        },
        balance: money(account.balance),
        created_at: account.created_at,
        updated_at: account.updated_at,
    }
}

pub(super) fn entry(entry: Entry) -> wit::Entry {
    wit::Entry {
        id: entry.id,
        account_id: entry.account_id,
        kind: match entry.kind {
            Kind::Charge => wit::EntryKind::Charge,
            Kind::Payment => wit::EntryKind::Payment,
            Kind::Reversal => wit::EntryKind::Reversal,
            Kind::Refund => wit::EntryKind::Refund,
        },
        amount: money(entry.amount),
        description: entry.description,
        reverses: entry.reverses,
        posted_at: entry.posted_at,
    }
}

pub(super) fn statement(statement: Statement, next: String) -> wit::Statement {
    let Statement { account: of, entries } = statement;
    wit::Statement {
        account: account(of),
        next,
        entries: entries.items.into_iter().map(entry).collect(),
    }
}

fn money(money: Money) -> wit::Money {
    wit::Money { minor_units: money.minor_units, currency: money.currency }
}

/// The case of the contract that a failure is, with words for the caller.
pub(super) fn error(failure: &Failure) -> Error {
    match failure {
        Failure::Fault(fault) if fault.is_passing() => {
            Error::Unavailable("Try again in a moment.".to_owned())
        }
        Failure::Fault(_) => Error::Internal("Something went wrong here.".to_owned()),
        Failure::Refused(refusal) => refused(*refusal),
    }
}

fn refused(refusal: Refusal) -> Error {
    let say = str::to_owned;
    match refusal {
        Refusal::NoPatient => Error::NotFound(say(
            "There is no account: billing has heard of no such patient, or not yet.",
        )),
        Refusal::PatientLives => Error::FailedPrecondition(say(
            "An account is closed when its patient is deleted, and this one was not.",
        )),
        Refusal::NoAccount => Error::NotFound(say("There is no such account.")),
        Refusal::NoEntry => Error::NotFound(say("The account has no such entry.")),
        Refusal::IdUsed => {
            Error::AlreadyExists(say("The id was used before, for an entry with other content."))
        }
        Refusal::Currency => Error::InvalidArgument(vec![FieldViolation {
            field: say("amount.currency"),
            description: say("must be the account's currency"),
        }]),
        Refusal::Stale => Error::FailedPrecondition(say("The account has changed.")),
        Refusal::NotReversible => {
            Error::FailedPrecondition(say("An entry can be undone once, and a reversal cannot."))
        }
        Refusal::NotActive => Error::FailedPrecondition(say(
            "The account takes payments, refunds and corrections, and no charges.",
        )),
        Refusal::NotPaid => Error::FailedPrecondition(say(
            "A refund is at most what was paid and has not been given back.",
        )),
        Refusal::GivenBack => Error::FailedPrecondition(say(
            "What was paid has been given back, in part or whole. Undo the refund first.",
        )),
        Refusal::Limit => Error::FailedPrecondition(say("The balance would pass its limit.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::database::Fault;

    #[test]
    fn faults_say_nothing_of_their_cause() {
        let check = |fault: Fault, expected: &str| {
            assert_eq!(format!("{:?}", error(&Failure::Fault(fault))), expected);
        };
        let cause = || "secret".to_owned();
        check(Fault::Unavailable(cause()), "Error::Unavailable(\"Try again in a moment.\")");
        check(Fault::Duplicate(cause()), "Error::Internal(\"Something went wrong here.\")");
        check(Fault::Other(cause()), "Error::Internal(\"Something went wrong here.\")");
    }
}
