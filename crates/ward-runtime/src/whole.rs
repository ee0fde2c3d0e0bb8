//! Tells a response that ended from one that was cut. When an instance traps or is ended in the
//! middle of a body, wasi-http lets the body end as if it were complete; here that end becomes an
//! error, so that no client takes half an answer for a whole one.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use crate::handler::{Body, BodyError};

/// Whether a worker's instance failed; set before its store is dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failed(Arc<AtomicBool>);

impl Failed {
    /// Records how the instance ended.
    pub(crate) fn set(&self, failed: bool) {
        self.0.store(failed, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// `body`, whose end is an error if the worker that produced it failed.
pub(crate) fn or_error(body: Body, worker: Arc<OnceLock<Failed>>) -> Body {
    if http_body::Body::is_end_stream(&body) {
        return body;
    }
    Whole { body, worker }.boxed_unsync()
}

struct Whole {
    body: Body,
    worker: Arc<OnceLock<Failed>>,
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) && self.worker.get().is_some_and(Failed::is_set) {
            return Poll::Ready(Some(Err(BodyError::HttpResponseIncomplete)));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.worker.get().is_some_and(Failed::is_set)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
