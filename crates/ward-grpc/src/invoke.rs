//! What the server calls to have a call answered. A trait, so that the server can be tried without
//! wasm; an exported function of a component is the one implementation outside tests.

use std::sync::Arc;

use tokio::time::Instant;
use ward_wire::Value;

/// What a call is told beside its arguments.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// When the caller stops waiting.
    pub until: Option<Instant>,
    /// The id of the request it belongs to.
    pub request_id: Arc<str>,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was not over in time.
    #[error("the deadline passed")]
    Deadline,
    /// The component failed. For the log only.
    #[error("{0}")]
    Trapped(String),
    /// The component could not be started. For the log only.
    #[error("{0}")]
    Instantiate(String),
    /// There is no room for another call.
    #[error("too many calls at once")]
    Overloaded,
    /// The arguments are not what the function takes. For the log only.
    #[error("{0}")]
    Arguments(String),
}

/// A function that can be called.
pub trait Invoke: Send + Sync + 'static {
    /// Calls it with all its arguments, and returns what it returns, if anything. Must be over by
    /// [`CallContext::until`]; dropping the future abandons the call.
    fn call(
        &self,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> impl Future<Output = Result<Option<Value>, CallError>> + Send;
}
