//! The door for other components, and for gRPC, which is derived from it: `pms:billing`; and the
//! one for events of patients, `pms:patients/consumer`.
//!
//! The caller comes as a value here, put in by a trigger that verified it or by a component that
//! passes it on. Texts of errors are for the caller; a fault's cause goes to the log.

mod accounts;
mod billing_service;
mod consumer;
mod convert;
mod violations;

use kit::caller::Caller;
use kit::log;

use crate::bindings::pms::common::types;
use crate::failure::Failure;

/// What exports the interfaces.
pub(crate) struct Component;

/// The caller, if it is one.
fn caller(given: &types::Caller) -> Result<Caller, types::Error> {
    let who = [&*given.user_id, &*given.role, &*given.token_id];
    Caller::from_parts(who, &given.request_id, &given.traceparent)
        .ok_or_else(|| types::Error::PermissionDenied("The caller is not known.".to_owned()))
}

/// Logs a fault and words a failure; `action` is for the log only.
fn failed(caller: &Caller, action: &'static str) -> impl Fn(Failure) -> types::Error {
    let request_id = caller.request_id.clone();
    move |failure| {
        if let Failure::Fault(fault) = &failure {
            log::failure_in(action, fault.cause(), request_id.as_deref());
        }
        convert::error(&failure)
    }
}
