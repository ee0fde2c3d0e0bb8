//! The body of an answer on its way to a client. It carries the call's ticket, so that a call is
//! over when its last byte is, and tells the ticket the status that stands in the trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};

use crate::access::Ticket;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Bytes handed over at once. HTTP/2's library takes a piece when the stream's window is open and
/// buffers it whole; an answer in one piece would be taken from us, and its call be over, though
/// its client reads nothing.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// An answer's body.
#[derive(Debug)]
pub(crate) struct Outgoing {
    body: tonic::body::Body,
    /// What is left of the piece that came last.
    rest: Bytes,
    ticket: Ticket,
}

impl Outgoing {
    /// A response that carries its ticket along.
    pub(crate) fn new(response: Response<tonic::body::Body>, mut ticket: Ticket) -> Response<Self> {
        // Without a message the status comes with the head; there are no trailers then.
        if let Some(code) = code(response.headers()) {
            ticket.answered(code);
        }
        response.map(|body| Self { body, rest: Bytes::new(), ticket })
    }
}

/// The status in a head or in trailers.
pub(crate) fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => {
                        if let Some(code) = frame.trailers_ref().and_then(code) {
                            self.ticket.answered(code);
                        }
                        return Poll::Ready(Some(Ok(frame)));
                    }
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PIECE_BYTES_MAX);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Of what is left of a piece nothing is said; gRPC's answers have no length anyway.
        if self.rest.is_empty() { self.body.size_hint() } else { SizeHint::default() }
    }
}
