//! The link to billing: who is created gets an account, whose account is closed is who was deleted.
//!
//! Billing's answer is waited for a little and never relied on. The statement that changed the
//! patient has left a note of what billing has to be told ([`crate::store::due`]); once billing has
//! answered it is taken away, and until then [`crate::upkeep`] tells billing again. Both calls are
//! safe to repeat, which is what makes giving up early safe.

use std::time::Duration;

use kit::audit::Access;
use kit::database::{Database, Fault};
use kit::{deadline, log};
use serde::Serialize;

use crate::bindings::pms::billing::billing_service::{
    BillingRequest, BillingResponse, CloseRequest, close_billing_account, create_billing_account,
};
use crate::bindings::pms::common::types::{Caller, Error};
use crate::handlers::DATABASE;
use crate::store::due::{self, Due, Wanted};

/// How long an answer of billing is waited for: far longer than one takes, and about as long as
/// somebody looks at a form that does not react. A component that fails says so at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// How a patient's account stands, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    /// The account's id; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    /// The account's status, or `PENDING`.
    status: String,
}

impl Standing {
    fn pending() -> Self {
        Self { account_id: None, status: "PENDING".to_owned() }
    }

    fn of(response: BillingResponse) -> Self {
        Self { account_id: Some(response.account_id), status: response.status }
    }
}

/// Tells billing what became of a patient, and takes the note away if billing has heard it.
/// Failures are logged, and are not the caller's concern: the note stays. No connection is held
/// while billing is waited for; when it hangs, that would take them from everybody else.
pub(crate) async fn tell(access: &Access<'_>, due: &Due) -> Standing {
    match call(access, due).await {
        Ok(response) => {
            if let Err(fault) = settle(due).await {
                log::failure_in("patients.billing-settle", fault.cause(), access.request_id);
            }
            Standing::of(response)
        }
        Err(cause) => {
            log::failure_in("patients.billing", cause, access.request_id);
            Standing::pending()
        }
    }
}

async fn settle(due: &Due) -> Result<(), Fault> {
    let database = Database::open(DATABASE).await?;
    due::settle(&database, std::slice::from_ref(due)).await
}

/// One call of billing, on behalf of whoever asks. The error is a word for the log.
pub(crate) async fn call(access: &Access<'_>, due: &Due) -> Result<BillingResponse, &'static str> {
    let caller = Caller {
        user_id: access.actor.unwrap_or_default().to_owned(),
        role: access.role.to_owned(),
        token_id: access.token_id.unwrap_or_default().to_owned(),
        request_id: access.request_id.unwrap_or_default().to_owned(),
    };
    let patient_id = due.patient_id.clone();
    let answer = match &due.wanted {
        Wanted::Open { name, email } => {
            let (name, email) = (name.clone(), email.clone());
            let request = BillingRequest { patient_id, name, email };
            deadline::within(PATIENCE, create_billing_account(caller, request)).await
        }
        Wanted::Close => {
            let request = CloseRequest { patient_id };
            deadline::within(PATIENCE, close_billing_account(caller, request)).await
        }
    };
    answer.ok_or("no-answer")?.map_err(|error| cause(&error))
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
        let response = BillingResponse { account_id: "a".to_owned(), status: "ACTIVE".to_owned() };
        assert_eq!(shown(Standing::of(response)), r#"{"accountId":"a","status":"ACTIVE"}"#);
    }
}
