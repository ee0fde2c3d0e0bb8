//! What the server calls to have a call answered. A trait, so that the server can be tried without
//! wasm; an exported function of a component is the one implementation outside tests.

use ward_runtime::{CallContext, CallError, Function};
use ward_wire::Value;

/// A function that can be called.
pub trait Invoke: Send + Sync + 'static {
    /// Calls it with all its arguments, and returns what it returns, if anything. The server waits
    /// no longer than [`CallContext::until`]; it drops the future then.
    fn call(
        &self,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> impl Future<Output = Result<Option<Value>, CallError>> + Send;
}

impl Invoke for Function {
    async fn call(
        &self,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> Result<Option<Value>, CallError> {
        Function::call(self, arguments, context).await
    }
}
