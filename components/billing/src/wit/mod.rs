//! The door for other components, and for gRPC, which is derived from it: `pms:billing`; and the
//! one for events of patients, `pms:patients/consumer`.
//!
//! The caller comes as a value here, put in by a trigger that verified it or by a component that
//! passes it on. A link brings no token, so what the caller's role may call is looked up here, in
//! the same policy. Texts of errors are for the caller; a fault's cause goes to the log.

mod accounts;
mod billing_service;
mod consumer;
mod convert;
mod patient_accounts;
mod refusals;
mod violations;

use kit::caller::Caller;
use kit::log;
use policy::grpc::Interface;

use crate::bindings::pms::common::types;
use crate::failure::Failure;

/// What exports the interfaces.
pub(crate) struct Component;

/// The caller, if it is one who may call this function.
fn caller(
    given: &types::Caller,
    interface: Interface,
    function: &'static str,
) -> Result<Caller, types::Error> {
    let denied = |why: &str| types::Error::PermissionDenied(why.to_owned());
    let who = [&*given.user_id, &*given.role, &*given.token_id];
    let which = [&*given.request_id, &*given.address, &*given.traceparent];
    let caller = Caller::from_parts(who, which);
    let caller = caller.ok_or_else(|| denied("The caller is not known."))?;
    if interface.allows(&caller.role, function) {
        return Ok(caller);
    }
    log::failure_in(function, "role-may-not", caller.request_id.as_deref());
    Err(denied("The caller's role may not do this."))
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
