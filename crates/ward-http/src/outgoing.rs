//! The body of a response on its way to a client. It carries the request's ticket, so that a
//! request is over when its last byte is, and it ends a component's body that goes on for ever.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use ward_runtime::BodyError;

use crate::access::Ticket;
use crate::gather::{Ahead, Gathered, gather};

/// A response's body.
#[derive(Debug)]
pub(crate) struct Outgoing {
    source: Source,
    ticket: Ticket,
}

#[derive(Debug)]
enum Source {
    /// What the host has in hand, if anything.
    Bytes(Bytes),
    /// What a component goes on producing.
    Component(Stream),
}

#[derive(Debug)]
struct Stream {
    /// What was read of the body before its head was sent.
    ahead: Ahead,
    body: ward_runtime::Body,
    /// What the component said it would send, and has not yet.
    bytes_left: Option<u64>,
    until: Instant,
    /// Armed only when the component keeps us waiting.
    timer: Option<Pin<Box<Sleep>>>,
    frames: u32,
}

/// A component that never keeps us waiting is held to its time every so many frames.
const FRAMES_PER_LOOK: u32 = 16;

impl Outgoing {
    /// A response whose body is at hand.
    pub(crate) fn bytes(response: Response<Bytes>, mut ticket: Ticket) -> Response<Self> {
        let (mut parts, body) = response.into_parts();
        ticket.answered(parts.status);
        let body = if ticket.is_head() { without(&mut parts, body.len() as u64) } else { body };
        Response::from_parts(parts, Self { source: Source::Bytes(body), ticket })
    }

    /// A component's response, which may take `longest`, counted from the request's beginning.
    pub(crate) async fn component(
        response: Response<ward_runtime::Body>,
        mut ticket: Ticket,
        longest: Duration,
    ) -> Response<Self> {
        let (mut parts, mut body) = response.into_parts();
        ticket.answered(parts.status);
        let declared = declared_length(&parts);
        let source = if ticket.is_head() {
            let exact = declared.or_else(|| body.size_hint().exact().filter(|n| *n > 0));
            Source::Bytes(exact.map_or_else(Bytes::new, |length| without(&mut parts, length)))
        } else {
            match gather(&mut body, declared).await {
                Gathered::Whole(bytes) => Source::Bytes(bytes),
                Gathered::Part(ahead) => {
                    let until = Instant::from_std(ticket.started() + longest);
                    Source::Component(Stream::new(ahead, body, declared, until))
                }
            }
        };
        Response::from_parts(parts, Self { source, ticket })
    }
}

/// The answer to HEAD has the length that the answer to GET would have, and no body.
fn without(parts: &mut Parts, length: u64) -> Bytes {
    parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    Bytes::new()
}

fn declared_length(parts: &Parts) -> Option<u64> {
    parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Stream {
    fn new(
        ahead: Ahead,
        body: ward_runtime::Body,
        bytes_left: Option<u64>,
        until: Instant,
    ) -> Self {
        Self { ahead, body, bytes_left, until, timer: None, frames: 0 }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.ahead.next() {
            self.count(frame.as_ref().ok());
            return Poll::Ready(Some(frame));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() {
            let until = self.until;
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            ready!(timer.as_mut().poll(cx));
            return Poll::Ready(Some(Err(BodyError::HttpResponseTimeout)));
        }
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.frames = self.frames.wrapping_add(1);
            if self.frames.is_multiple_of(FRAMES_PER_LOOK) && Instant::now() >= self.until {
                return Poll::Ready(Some(Err(BodyError::HttpResponseTimeout)));
            }
            self.count(Some(frame));
        }
        polled
    }

    fn count(&mut self, frame: Option<&Frame<Bytes>>) {
        let length = frame.and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        self.bytes_left = self.bytes_left.map(|left| left.saturating_sub(length));
    }

    fn is_over(&self) -> bool {
        self.bytes_left == Some(0) || self.is_end_stream()
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (ahead, rest) = (self.ahead.len(), self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ahead));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            Source::Bytes(bytes) if bytes.is_empty() => None,
            Source::Bytes(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Source::Component(stream) => ready!(stream.poll_frame(cx)),
        };
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let request_id = this.ticket.id();
                let component = this.ticket.label().map_or("", |label| &*label.component);
                tracing::warn!(%request_id, component, %error, "a response broke off");
            }
            None => this.ticket.finished(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Bytes(bytes) => bytes.is_empty(),
            Source::Component(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Component(stream) => stream.size_hint(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let whole = match &self.source {
            Source::Bytes(bytes) => bytes.is_empty(),
            Source::Component(stream) => stream.is_over(),
        };
        if whole {
            self.ticket.finished();
        }
    }
}
