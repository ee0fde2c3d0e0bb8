//! The body of an answer on its way to a client. It carries the request's ticket, so that a request
//! is over when its last byte is, and it ends a body that goes on for ever: with an error, or in
//! order where the body has no end of its own and the server is about to stop.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;
use tokio::time::{Instant, Sleep};

use crate::ticket::{Line, Ticket};

/// What an answer breaks off with; the connection or the stream is reset.
type Failure = Box<dyn Error + Send + Sync>;

/// Bytes handed over at once. HTTP/2's library takes a piece when the stream's window is open and
/// buffers it whole; an answer in one piece would be taken from us, and its request be over, though
/// its client reads nothing.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// Whoever never keeps us waiting is held to its time every so many frames.
const FRAMES_PER_LOOK: u32 = 16;

/// The answer took longer than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the answer took longer than it may")]
struct Late;

/// When an answer is ended.
#[derive(Default)]
pub struct Limit {
    /// With an error.
    pub until: Option<Instant>,
    /// As if it were complete, with these trailers if any: for a body that may be ended between any
    /// two frames.
    pub ending: Option<Pin<Box<dyn Future<Output = Option<HeaderMap>> + Send>>>,
}

/// What was read of a body before its head was sent.
#[derive(Debug)]
pub struct Ahead<E> {
    /// Its data.
    pub data: Bytes,
    /// What comes after that, if it was met and is no data.
    pub then: Option<Result<Frame<Bytes>, E>>,
}

impl<E> Default for Ahead<E> {
    fn default() -> Self {
        Self { data: Bytes::new(), then: None }
    }
}

/// An answer's body.
pub struct Answer<B: Body<Data = Bytes>, L: Line> {
    ahead: Ahead<B::Error>,
    /// Gone when it has ended: who produces a body that is not wanted any more learns of it so.
    body: Option<B>,
    /// What was announced, and has not come yet.
    bytes_left: Option<u64>,
    limit: Limit,
    /// Armed only when we are kept waiting.
    timer: Option<Pin<Box<Sleep>>>,
    frames: u32,
    in_pieces: bool,
    ticket: Ticket<L>,
}

impl<B, L> Answer<B, L>
where
    B: Body<Data = Bytes, Error: Into<Failure>> + Unpin,
    L: Line,
{
    /// An answer that is at hand.
    pub fn bytes(data: Bytes, ticket: Ticket<L>) -> Self {
        let mut answer = Self::new(None, ticket, Limit::default());
        answer.ahead.data = data;
        answer
    }

    /// An answer that is still to come.
    pub fn body(body: B, ticket: Ticket<L>, limit: Limit) -> Self {
        Self::new(Some(body), ticket, limit)
    }

    fn new(body: Option<B>, ticket: Ticket<L>, limit: Limit) -> Self {
        Self {
            ahead: Ahead::default(),
            body,
            bytes_left: None,
            limit,
            timer: None,
            frames: 0,
            in_pieces: ticket.is_http2(),
            ticket,
        }
    }

    /// With what was read of the body already.
    pub fn ahead(mut self, ahead: Ahead<B::Error>) -> Self {
        self.ahead = ahead;
        self
    }

    /// With a length that was announced. Once that has been sent the answer is whole, whether its
    /// end was said or not.
    pub fn announced(mut self, bytes: Option<u64>) -> Self {
        self.bytes_left = bytes;
        self
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if !self.ahead.data.is_empty() {
            let max = if self.in_pieces { PIECE_BYTES_MAX } else { usize::MAX };
            let piece = self.ahead.data.split_to(self.ahead.data.len().min(max));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(then) = self.ahead.then.take() {
            return Poll::Ready(Some(then.map_err(Into::into)));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if let Some(ending) = &mut self.limit.ending
            && !matches!(polled, Poll::Ready(Some(Err(_))))
            && let Poll::Ready(trailers) = ending.as_mut().poll(cx)
        {
            self.body = None;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        match polled {
            Poll::Pending => {
                let Some(until) = self.limit.until else { return Poll::Pending };
                let timer = || Box::pin(tokio::time::sleep_until(until));
                ready!(self.timer.get_or_insert_with(timer).as_mut().poll(cx));
                Poll::Ready(Some(Err(Late.into())))
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.frames = self.frames.wrapping_add(1);
                let look = self.frames.is_multiple_of(FRAMES_PER_LOOK);
                if look && self.limit.until.is_some_and(|until| Instant::now() >= until) {
                    return Poll::Ready(Some(Err(Late.into())));
                }
                self.cut(frame)
            }
            Poll::Ready(end) => Poll::Ready(end.map(|frame| frame.map_err(Into::into))),
        }
    }

    /// Keeps what is more than a piece for later.
    fn cut(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let is_long = frame.data_ref().is_some_and(|data| data.len() > PIECE_BYTES_MAX);
        let frame = match frame.into_data() {
            Ok(mut data) if self.in_pieces && is_long => {
                let piece = data.split_to(PIECE_BYTES_MAX);
                self.ahead.data = data;
                Frame::data(piece)
            }
            Ok(data) => Frame::data(data),
            Err(frame) => frame,
        };
        Poll::Ready(Some(Ok(frame)))
    }
}

impl<B: Body<Data = Bytes>, L: Line> Answer<B, L> {
    fn is_over(&self) -> bool {
        self.bytes_left == Some(0) || self.is_end()
    }

    fn is_end(&self) -> bool {
        let ahead = &self.ahead;
        ahead.data.is_empty()
            && ahead.then.is_none()
            && self.body.as_ref().is_none_or(Body::is_end_stream)
    }
}

impl<B: Body<Data = Bytes>, L: Line> Drop for Answer<B, L> {
    fn drop(&mut self) {
        if self.is_over() {
            self.ticket.finished();
        }
    }
}

impl<B, L> Body for Answer<B, L>
where
    B: Body<Data = Bytes, Error: Into<Failure> + Unpin> + Unpin,
    L: Line,
{
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        let frame = ready!(this.poll(cx));
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.bytes_left = this.bytes_left.map(|left| left.saturating_sub(length));
                if let Some(trailers) = frame.trailers_ref() {
                    this.ticket.line.trailers(trailers);
                    this.ticket.finished();
                }
            }
            Some(Err(error)) => this.ticket.line.broke_off(&**error),
            None => {
                this.body = None;
                this.ticket.finished();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let ahead = self.ahead.data.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ahead));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint
    }
}
