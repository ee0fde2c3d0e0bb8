//! Test guest: billing's oldest interface without a database, for calls from outside. It opens
//! every account at once and remembers none; what it is asked by name it does.

mod bindings;

use std::time::Duration;

use bindings::exports::pms::billing::billing_service::{
    BillingRequest, BillingResponse, CloseRequest, Guest,
};
use bindings::pms::common::types::{Caller, Error, FieldViolation};

/// Longer than any deadline of the host.
const FOR_EVER: Duration = Duration::from_secs(3600);

struct Clerk;

#[allow(
    unsafe_code,
    unreachable_pub,
    reason = "generated code: what a component exports are symbols, which is unsafe to promise"
)]
mod exported {
    crate::bindings::export!(Clerk with_types_in crate::bindings);
    use super::Clerk;
}

impl Guest for Clerk {
    async fn create_billing_account(
        _: Caller,
        request: BillingRequest,
    ) -> Result<BillingResponse, Error> {
        if request.email.is_empty() {
            let description = "must not be empty".to_owned();
            let violation = FieldViolation { field: "email".to_owned(), description };
            return Err(Error::InvalidArgument(vec![violation]));
        }
        match request.name.as_str() {
            "trap" => std::process::abort(),
            "wait" => spin_sdk::time::sleep(FOR_EVER).await,
            "unavailable" => return Err(Error::Unavailable("Not today.".to_owned())),
            _ => {}
        }
        Ok(BillingResponse { account_id: request.patient_id, status: "ACTIVE".to_owned() })
    }

    /// Says who asked.
    async fn close_billing_account(
        caller: Caller,
        _: CloseRequest,
    ) -> Result<BillingResponse, Error> {
        let who = [caller.user_id, caller.role, caller.token_id];
        Ok(BillingResponse { account_id: caller.request_id, status: who.join("|") })
    }
}
