//! Why billing said no. Both doors word the same reasons, each in its own way.

use kit::database::Fault;

/// A refusal: the request was understood, and has left its audit row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Billing has heard of no such patient.
    NoPatient,
    /// The patient was not deleted, as far as billing has heard.
    PatientLives,
    /// There is no such account.
    NoAccount,
    /// The account has no such entry to undo.
    NoEntry,
    /// The entry's id was used for something else.
    IdUsed,
    /// The account is in another currency.
    Currency,
    /// `If-Match` or `If-None-Match` does not hold for the account's present version.
    Stale,
    /// The entry is a reversal, or was undone before.
    NotReversible,
    /// The account takes no charges.
    NotActive,
    /// More would be given back than was paid and not given back yet.
    NotPaid,
    /// Of the payment to be undone something was given back.
    GivenBack,
    /// The balance would pass its limit.
    Limit,
}

/// A request that led to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The caller has to change something.
    Refused(Refusal),
    /// The caller has nothing to change; the log says what it was.
    Fault(Fault),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
