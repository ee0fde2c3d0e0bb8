//! The body of a request on its way to whoever answers, held to a length and a pace. Its beginning
//! is [gathered](Inbound::gather) before anything is begun for it, so that a body that does not
//! come costs a seat in a waiting room and nothing else.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Version;
use http::header::EXPECT;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use thiserror::Error;
use tokio::time::{Instant, Sleep};

use crate::limits::{BODY_BEGIN_BYTES, DISCARD_PIECE_BYTES, DISCARD_TIME_MAX, Limits};
use crate::ticket::{Line, Ticket};

/// Why a body is not taken further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It is longer than is allowed.
    #[error("the body is too long")]
    TooLarge,
    /// It does not come, or more slowly than is waited for.
    #[error("the body does not come")]
    TooSlow,
    /// So many bodies of this peer are waited for that this one is not.
    #[error("too many bodies are waited for")]
    TooMany,
    /// The client broke off.
    #[error("the body broke off")]
    BrokeOff,
}

/// Whether a body broke a limit; shared between the body and whoever answers the request. An empty
/// body breaks none and has nothing to share.
#[derive(Debug, Clone)]
pub struct Verdict(Option<Arc<AtomicU8>>);

const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;

impl Verdict {
    /// The limit that was broken.
    pub fn refusal(&self) -> Option<Refusal> {
        match self.0.as_ref()?.load(Relaxed) {
            TOO_LARGE => Some(Refusal::TooLarge),
            TOO_SLOW => Some(Refusal::TooSlow),
            _ => None,
        }
    }
}

/// Completes when a body is not waited for any longer.
type Until = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A bounded body.
pub struct Inbound {
    /// What was read of it already.
    ahead: Bytes,
    /// Taken when the body ended or broke a limit.
    body: Option<Incoming>,
    bytes_left: u64,
    gap_max: Duration,
    gap: Option<Pin<Box<Sleep>>>,
    begin_time_max: Duration,
    until: Option<Until>,
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
    pub fn new(body: Incoming, parts: &Parts, limits: &Limits) -> Self {
        let empty = body.is_end_stream();
        Self {
            ahead: Bytes::new(),
            body: (!empty).then_some(body),
            bytes_left: limits.body_bytes_max,
            gap_max: limits.body_gap_max,
            gap: None,
            begin_time_max: limits.body_begin_time_max,
            until: None,
            verdict: Verdict((!empty).then(Arc::default)),
            leftover: Leftover::of(parts),
        }
    }

    /// Ends the body, as if it were complete, when `until` completes.
    pub fn until(mut self, until: impl Future<Output = ()> + Send + 'static) -> Self {
        self.until = Some(Box::pin(until));
        self
    }

    /// Whether the client has announced more than is allowed.
    pub fn is_too_large(&self) -> bool {
        self.body.as_ref().map_or(0, |body| body.size_hint().lower()) > self.bytes_left
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.ahead.is_empty() && self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    /// Where it will be said whether the body broke a limit.
    pub fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    /// Reads all of the body, or its first 64 KiB, whichever is less. What is there already costs
    /// nothing but the reading; for what is not, a seat is taken, which may be lost to a body that
    /// comes after.
    ///
    /// # Errors
    /// The body is too long, does not come, or would have to be waited for beside too many others.
    pub async fn gather<L: Line>(&mut self, ticket: &Ticket<L>) -> Result<(), Refusal> {
        if self.body.is_none() {
            return Ok(());
        }
        let mut pieces = Pieces::default();
        let mut seat = None;
        let until = Instant::now() + self.begin_time_max;
        while pieces.length < BODY_BEGIN_BYTES {
            let now = poll_fn(|cx| Poll::Ready(Pin::new(&mut *self).poll_frame(cx))).await;
            let frame = match (now, &mut seat) {
                (Poll::Ready(frame), _) => frame,
                (Poll::Pending, None) => {
                    seat = Some(ticket.await_body().ok_or(Refusal::TooMany)?);
                    continue;
                }
                (Poll::Pending, Some((_, lost))) => {
                    let came = tokio::select! {
                        biased;
                        frame = self.frame() => Some(frame),
                        () = lost => None,
                        () = tokio::time::sleep_until(until) => None,
                    };
                    let Some(frame) = came else {
                        self.broke(TOO_SLOW);
                        return Err(Refusal::TooSlow);
                    };
                    frame
                }
            };
            match frame {
                Some(frame) => pieces.push(frame?),
                None => break,
            }
        }
        self.ahead = pieces.into_bytes();
        Ok(())
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Refusal> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.bytes_left.checked_sub(length) {
            Some(left) => self.bytes_left = left,
            None => {
                self.broke(TOO_LARGE);
                return Err(Refusal::TooLarge);
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
            discard(body, self.bytes_left);
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
    type Error = Refusal;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let this = &mut *self;
        if !this.ahead.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.ahead)))));
        }
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
            Poll::Ready(Some(Err(_))) => {
                this.body = None;
                Poll::Ready(Some(Err(Refusal::BrokeOff)))
            }
            Poll::Ready(None) => {
                this.body = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                if let Some(until) = &mut this.until {
                    return until.as_mut().poll(cx).map(|()| None);
                }
                ready!(this.poll_gap(cx));
                this.broke(TOO_SLOW);
                Poll::Ready(Some(Err(Refusal::TooSlow)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let ahead = self.ahead.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ahead));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        if self.body.as_ref().is_some_and(|body| !body.is_end_stream()) {
            self.let_go();
        }
    }
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").field("ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}

/// Data that is copied together only when there is more than one piece. What is no data is not
/// kept: whoever reads a request here has no use for its trailers.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    more: BytesMut,
    length: usize,
}

impl Pieces {
    fn push(&mut self, frame: Frame<Bytes>) {
        let Ok(bytes) = frame.into_data() else { return };
        self.length += bytes.len();
        if self.first.is_empty() {
            self.first = bytes;
            return;
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&self.first);
        }
        self.more.extend_from_slice(&bytes);
    }

    fn into_bytes(self) -> Bytes {
        if self.more.is_empty() { self.first } else { self.more.freeze() }
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
                match left.checked_sub(length.max(DISCARD_PIECE_BYTES)) {
                    Some(less) => left = less,
                    None => break,
                }
            }
        };
        // Past the time the connection closes all the same; nobody is left to be told.
        tokio::time::timeout(DISCARD_TIME_MAX, read).await.unwrap_or_default();
    });
}
