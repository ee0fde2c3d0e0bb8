//! Who asks: what the audit log is told of them, and what a failure is made into.

use http::HeaderMap;
use kit::audit::Access;
use kit::database::Fault;
use kit::identity::Identity;
use kit::{Problem, log};
use spin_sdk::pg::ParameterValue;

/// Who asks, and the headers they asked with.
pub(crate) struct Caller<'a> {
    pub(crate) identity: Identity,
    pub(crate) headers: &'a HeaderMap,
}

impl Caller<'_> {
    /// The values of `$1` to `$4` in every statement that answers a caller (actor, role, token,
    /// request), then `more`.
    pub(crate) fn values(
        &self,
        more: impl IntoIterator<Item = ParameterValue>,
    ) -> Vec<ParameterValue> {
        Access::of(&self.identity, self.headers).values(more)
    }

    /// Logs a fault and makes it an answer; `action` is for the log only.
    pub(crate) fn failed(&self, action: &'static str) -> impl Fn(Fault) -> Problem {
        move |fault| {
            log::failure(action, fault.cause(), self.headers);
            Problem::from(&fault)
        }
    }
}
