//! A request that was found to be for an operation: who asks, and what for.

use http::{HeaderMap, Uri};

use super::{Operation, matching};
use crate::caller::Caller;
use crate::{Problem, log, problem, uuid};

/// What every handler gets.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who asks; nobody, for an operation that is public.
    pub caller: Caller,
    /// The headers they ask with.
    pub headers: &'a HeaderMap,
    /// The query string, without its question mark; empty where there is none.
    pub query: &'a str,
    path: &'a str,
    operation: &'static Operation,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        caller: Caller,
        headers: &'a HeaderMap,
        uri: &'a Uri,
        path: &'a str,
        operation: &'static Operation,
    ) -> Self {
        Self { caller, headers, query: uri.query().unwrap_or(""), path, operation }
    }

    /// What is in the path where the pattern says `{name}`.
    pub fn segment(&self, name: &str) -> &'a str {
        let segment = matching::segment(self.operation.pattern, self.path, name);
        debug_assert!(segment.is_some(), "{} has no {{{name}}}", self.operation.pattern);
        segment.unwrap_or_default()
    }

    /// The id where the pattern says `{name}`: a UUID in canonical form, or 400.
    pub fn id(&self, name: &str) -> Result<String, Problem> {
        uuid::parse(self.segment(name)).ok_or_else(|| {
            Problem::new(problem::BAD_REQUEST)
                .detail("An id is a UUID, such as 123e4567-e89b-12d3-a456-426614174000.")
        })
    }

    /// Says in the log that the operation failed because of `cause`: a word of ours, or an
    /// SQLSTATE.
    pub fn log_failure(&self, cause: &str) {
        log::failure_in(self.operation.name, cause, self.caller.request_id.as_deref());
    }
}
