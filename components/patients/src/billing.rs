//! The link to billing: who is created gets an account, whose account is closed is who was deleted.
//!
//! Billing's answer is waited for a little and never relied on. The event of the same change is in
//! the outbox, and billing consumes it: what it did not hear here it learns there. It is made for
//! hearing things twice, which is what makes giving up early safe. No connection is held while
//! billing is waited for; when it hangs, that would take them from everybody else.

use std::time::Duration;

use kit::audit::Access;
use kit::{deadline, log};
use serde::Serialize;

use crate::bindings::pms::billing::patient_accounts as accounts;
use crate::bindings::pms::common::types::{Caller, Error};

/// How long an answer of billing is waited for: far longer than one takes, and about as long as
/// somebody looks at a form that does not react. A component that fails says so at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// How a patient's account stands, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    /// The account's id; absent while there is none.
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    /// The account's status, or `PENDING`.
    status: String,
}

impl Standing {
    fn pending() -> Self {
        Self { account_id: None, status: "PENDING".to_owned() }
    }

    /// As it was when the account was opened. What has become of it since says what has become of
    /// the patient, which is for those who may see them.
    pub(crate) fn forget(&mut self) {
        if self.account_id.is_some() {
            "ACTIVE".clone_into(&mut self.status);
        }
    }

    fn of(answer: accounts::Standing) -> Self {
        Self { account_id: Some(answer.account_id), status: answer.status }
    }
}

/// Has an account opened for a patient who was just created.
pub(crate) async fn open(access: &Access<'_>, patient_id: &str) -> Standing {
    let opening = accounts::open_account(caller(access), patient_id.to_owned());
    standing(access, deadline::within(PATIENCE, opening).await)
}

/// Has the account closed of a patient who was just deleted.
pub(crate) async fn close(access: &Access<'_>, patient_id: &str) -> Standing {
    let closing = accounts::close_account(caller(access), patient_id.to_owned());
    standing(access, deadline::within(PATIENCE, closing).await)
}

/// Billing acts on behalf of whoever asks.
fn caller(access: &Access<'_>) -> Caller {
    Caller {
        user_id: access.actor.unwrap_or_default().to_owned(),
        role: access.role.to_owned(),
        token_id: access.token_id.unwrap_or_default().to_owned(),
        request_id: access.request_id.unwrap_or_default().to_owned(),
        traceparent: access.traceparent.unwrap_or_default().to_owned(),
        address: access.address.unwrap_or_default().to_owned(),
    }
}

/// What is known after an answer, or none. A failure is logged, and is not the caller's concern.
fn standing(access: &Access<'_>, answer: Option<Result<accounts::Standing, Error>>) -> Standing {
    let cause = match answer {
        Some(Ok(response)) => return Standing::of(response),
        Some(Err(error)) => cause(&error),
        None => "no-answer",
    };
    log::failure_in("patients.billing", cause, access.request_id);
    Standing::pending()
}

/// Which case it was; its text is for callers of billing, not for our log.
fn cause(error: &Error) -> &'static str {
    match error {
        Error::NotFound(_) => "not-found",
        Error::InvalidArgument(_) => "invalid-argument",
        Error::AlreadyExists(_) => "already-exists",
        Error::FailedPrecondition(_) => "failed-precondition",
        Error::PermissionDenied(_) => "permission-denied",
        Error::Unavailable(_) => "unavailable",
        Error::Internal(_) => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_as_clients_see_it() {
        let shown = |standing: Standing| serde_json::to_string(&standing).unwrap();
        assert_eq!(shown(Standing::pending()), r#"{"status":"PENDING"}"#);
        let answer = accounts::Standing { account_id: "a".to_owned(), status: "ACTIVE".to_owned() };
        assert_eq!(shown(Standing::of(answer)), r#"{"accountId":"a","status":"ACTIVE"}"#);
    }

    #[test]
    fn what_became_of_an_account_is_not_told_again() {
        let again = |mut standing: Standing| {
            standing.forget();
            standing
        };
        let of =
            |status: &str| Standing { account_id: Some("a".to_owned()), status: status.to_owned() };
        for status in ["ACTIVE", "SUSPENDED", "CLOSED"] {
            assert_eq!(again(of(status)), of("ACTIVE"));
        }
        assert_eq!(again(Standing::pending()), Standing::pending());
    }
}
