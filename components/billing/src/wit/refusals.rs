//! `pms:common/refusals`: what the trigger refused, for the audit log. Who called is known where
//! the token was good, and nothing depends on it.

use kit::caller::Caller;
use kit::log;
use kit::refusal::{self, Refused};

use super::Component;
use crate::bindings::exports::pms::common::refusals::Guest;
use crate::bindings::pms::common::types;
use crate::service::DATABASE;

impl Guest for Component {
    async fn note(by: types::Caller, method: String, outcome: String, times: u64) {
        let which = [&*by.request_id, &*by.address, &*by.traceparent];
        let known = Caller::from_parts([&*by.user_id, &*by.role, &*by.token_id], which);
        let caller = known.unwrap_or_else(|| Caller::unknown(which));
        let read = Refused::told(&outcome, Some(&method), i64::try_from(times).unwrap_or(0));
        match read {
            Some(refused) => {
                refusal::noted(DATABASE, &caller, refused).await;
            }
            None => log::failure_in("audit.refused", "no-refusal", caller.request_id.as_deref()),
        }
    }
}
