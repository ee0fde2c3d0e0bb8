//! What the server calls to have a request answered. A trait, so that the server can be tried
//! without wasm; the components of an application are the one implementation outside tests.

use std::time::Duration;

use http::{Request, Response};
use ward_runtime::{Body, CallContext, HandleError, HttpHandler};

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The longest [`Handler::handle`] takes.
    fn deadline(&self) -> Duration;

    /// The longest a response's body may go on after its head.
    fn stream_deadline(&self) -> Duration;

    /// Answers one request. Must return within [`Handler::deadline`], with
    /// [`HandleError::Deadline`] where there is nothing better to say: the server keeps no second
    /// timer over it. Dropping the future abandons the request; whoever still works for it then
    /// keeps what `context` holds until that is done.
    fn handle(
        &self,
        request: Request<Body>,
        context: CallContext,
    ) -> impl Future<Output = Result<Response<Body>, HandleError>> + Send;
}

impl Handler for HttpHandler {
    fn deadline(&self) -> Duration {
        HttpHandler::deadline(self)
    }

    fn stream_deadline(&self) -> Duration {
        HttpHandler::stream_deadline(self)
    }

    async fn handle(
        &self,
        request: Request<Body>,
        context: CallContext,
    ) -> Result<Response<Body>, HandleError> {
        HttpHandler::handle(self, request, context).await
    }
}
