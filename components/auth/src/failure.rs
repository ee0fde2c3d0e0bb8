//! Why something could not be done, which is nobody's fault who asked. Holds no text that came with
//! a request.

use kit::Problem;
use kit::database::Fault;
use kit::problem::INTERNAL;
use kit::route::Call;
use kit::session::Unknown;
use spin_sdk::key_value;

use crate::password::HashError;
use crate::settings::Unusable;

/// What clients are asked to wait while the key-value store does not answer.
const RETRY_AFTER_SECONDS: u16 = 2;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database.
    Database(Fault),
    /// The key-value store.
    Store(Unknown),
    /// The same request may succeed in a moment.
    Passing(&'static str),
    /// Something of ours.
    Other(&'static str),
}

impl Failure {
    /// What a log line says of it.
    pub(crate) fn cause(&self) -> &str {
        match self {
            Self::Database(fault) => fault.cause(),
            Self::Store(unknown) => unknown.0,
            Self::Passing(cause) | Self::Other(cause) => cause,
        }
    }
}

/// Logs a failure and makes it an answer.
pub(crate) fn failed(call: &Call<'_>) -> impl Fn(Failure) -> Problem {
    |failure| {
        call.log_failure(failure.cause());
        Problem::from(&failure)
    }
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Database(fault) => Self::from(fault),
            Failure::Store(_) | Failure::Passing(_) => Self::unavailable(RETRY_AFTER_SECONDS),
            Failure::Other(_) => Self::new(INTERNAL),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Database(fault)
    }
}

impl From<key_value::Error> for Failure {
    fn from(error: key_value::Error) -> Self {
        Self::Store(Unknown::from(error))
    }
}

impl From<Unknown> for Failure {
    fn from(unknown: Unknown) -> Self {
        Self::Store(unknown)
    }
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        Self::Other(unusable.0)
    }
}

impl From<HashError> for Failure {
    fn from(_: HashError) -> Self {
        Self::Other("hash")
    }
}
