//! The body of a request on its way to a component, held to a length and a pace. A component that
//! reads past either gets an error, and the client gets 413 or 408 whatever the component answers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http::header::EXPECT;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use ward_runtime::BodyError;

use crate::limits::{DISCARD_TIME_MAX, Limits};
use crate::problem::Problem;

/// Whether a body broke a limit; shared between the body and whoever answers the request. An empty
/// body breaks none and has nothing to share.
#[derive(Debug, Clone)]
pub(crate) struct Verdict(Option<Arc<AtomicU8>>);

const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;

impl Verdict {
    /// The limit that was broken, as the answer to give.
    pub(crate) fn problem(&self) -> Option<Problem> {
        match self.0.as_ref()?.load(Relaxed) {
            TOO_LARGE => Some(Problem::ContentTooLarge),
            TOO_SLOW => Some(Problem::RequestTimeout),
            _ => None,
        }
    }
}

/// A bounded body.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// Taken when the body ended or broke a limit.
    body: Option<Incoming>,
    bytes_max: u64,
    bytes_left: u64,
    gap_max: Duration,
    gap: Option<Pin<Box<Sleep>>>,
    verdict: Verdict,
    leftover: Leftover,
}

/// What becomes of the part of a body that nobody read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leftover {
    /// Read on for a while and throw it away. On HTTP/1 the client may still be sending, and
    /// closing the socket on it could destroy the response before it is seen.
    Discard,
    /// Leave it: the client waits for a `100 Continue` that will not come.
    Leave,
    /// HTTP/2 resets the stream, which harms nothing else.
    Reset,
}

impl Leftover {
    fn of(parts: &Parts) -> Self {
        if parts.version >= Version::HTTP_2 {
            Self::Reset
        } else if parts.headers.contains_key(EXPECT) {
            Self::Leave
        } else {
            Self::Discard
        }
    }
}

impl Inbound {
    /// Bounds `body`, which came with the head `parts`.
    pub(crate) fn new(body: Incoming, parts: &Parts, limits: &Limits) -> Self {
        let empty = body.is_end_stream();
        Self {
            body: (!empty).then_some(body),
            bytes_max: limits.body_bytes_max,
            bytes_left: limits.body_bytes_max,
            gap_max: limits.body_gap_max,
            gap: None,
            verdict: Verdict((!empty).then(Arc::default)),
            leftover: Leftover::of(parts),
        }
    }

    /// Whether the client has announced more than is allowed.
    pub(crate) fn is_too_large(&self) -> bool {
        self.size_hint().lower() > self.bytes_max
    }

    /// Where it will be said whether the body broke a limit.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    /// The body as components take it.
    pub(crate) fn into_body(self) -> ward_runtime::Body {
        match self.body {
            // A box of nothing is no allocation.
            None => Empty::new().map_err(|never| match never {}).boxed_unsync(),
            Some(_) => self.boxed_unsync(),
        }
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.bytes_left.checked_sub(length) {
            Some(left) => self.bytes_left = left,
            None => {
                self.broke(TOO_LARGE);
                return Err(BodyError::HttpRequestBodySize(Some(self.bytes_max)));
            }
        }
        Ok(frame)
    }

    fn broke(&mut self, limit: u8) {
        if let Verdict(Some(verdict)) = &self.verdict {
            verdict.store(limit, Relaxed);
        }
        self.let_go();
    }

    fn let_go(&mut self) {
        if let (Some(body), Leftover::Discard) = (self.body.take(), self.leftover) {
            discard(body, self.bytes_max);
        }
    }

    fn poll_gap(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = || Instant::now() + self.gap_max;
        let gap = self.gap.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until())));
        gap.as_mut().poll(cx)
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        // From the first look on, a client that waits for `100 Continue` has it.
        if this.leftover == Leftover::Leave {
            this.leftover = Leftover::Discard;
        }
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.gap = None;
                Poll::Ready(Some(this.count(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.body = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.body = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(this.poll_gap(cx));
                this.broke(TOO_SLOW);
                Poll::Ready(Some(Err(BodyError::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        if !self.is_end_stream() {
            self.let_go();
        }
    }
}

/// Reads and forgets the rest of `body`, within bounds, so that an HTTP/1 client gets to see the
/// response before the connection closes.
fn discard(mut body: Incoming, bytes_max: u64) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        let read = async {
            let mut left = bytes_max;
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(length) {
                    Some(less) => left = less,
                    None => break,
                }
            }
        };
        // Past the time the connection closes all the same; nobody is left to be told.
        tokio::time::timeout(DISCARD_TIME_MAX, read).await.unwrap_or_default();
    });
}
