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

/// An answer's body.
#[derive(Debug)]
pub(crate) struct Outgoing {
    body: tonic::body::Body,
    ticket: Ticket,
}

impl Outgoing {
    /// A response that carries its ticket along.
    pub(crate) fn new(response: Response<tonic::body::Body>, mut ticket: Ticket) -> Response<Self> {
        // Without a message the status comes with the head; there are no trailers then.
        if let Some(code) = code(response.headers()) {
            ticket.answered(code);
        }
        response.map(|body| Self { body, ticket })
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
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(code) = frame.trailers_ref().and_then(code)
        {
            self.ticket.answered(code);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
