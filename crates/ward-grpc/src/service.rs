//! The life of one call, in order: its head is checked; the host's own services are answered; a
//! method is found; the caller is verified, and may call it; a place among the running calls is
//! taken; the message is read; the component answers; what it answered is sent.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use token::{Identity, Refusal, Why};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tracing::field::display;
use ward_runtime::{CallContext, RequestId, X_REQUEST_ID};
use ward_serve::{Answer, Connection, Inbound, Limit, Phase, Place};
use ward_wire::{Argument, Failure, Value};

use crate::builtin;
use crate::caller::Caller;
use crate::codec::MethodCodec;
use crate::head::{self, NoCall};
use crate::invoke::Invoke;
use crate::limits::{COMPRESSED_BYTES_MIN, MESSAGE_BYTES};
use crate::offer::{Endpoint, Offer};
use crate::refused::Refused;
use crate::request_log::{self, Kind, Line};
use crate::server::Services;
use crate::status;
use crate::timeout::timeout;
use crate::trace;

type Ticket = ward_serve::Ticket<Line>;

/// Why a call is not let in.
enum Stop {
    /// It may not be: the answer, and what the component is told.
    Refused((Status, Why, Option<Arc<Identity>>)),
    /// Nobody can tell.
    Failed(Status),
}

/// A call that is let in.
struct Admitted<'o, I> {
    endpoint: &'o Arc<Endpoint<I>>,
    identity: Option<Arc<Identity>>,
    /// When the caller or the component has no more time.
    until: Instant,
}

impl<I: Invoke> ward_serve::Service for Services<I> {
    type Body = Answer<Body, Line>;

    async fn answer(
        &self,
        connection: &Arc<Connection>,
        request: Request<Incoming>,
    ) -> Response<Self::Body> {
        let (parts, body) = request.into_parts();
        let body = Inbound::new(body, &parts, connection.limits());
        let id = RequestId::of(&parts.headers);
        let kind =
            if self.builtin.find(parts.uri.path()).is_some() { Kind::Builtin } else { Kind::Call };
        let metrics = self.metrics.clone();
        let line = Line { id, kind, label: None, code: None, metrics };
        let mut ticket = Ticket::begin(connection, &parts, line, kind == Kind::Call);
        let mut limit = Limit::default();
        let mut response = match head::check(&parts, connection.limits().head_bytes_max) {
            Err(refusal) => no_call(refusal, &mut ticket),
            Ok(()) if kind == Kind::Builtin => {
                self.builtin(parts, body, &mut ticket, &mut limit).await
            }
            Ok(()) => {
                // What is published from here on is for the calls that come after.
                let offer = self.offer.get();
                match self.admit(&offer, &parts, &mut ticket).await {
                    Ok(admitted) => self.call(admitted, parts, body, &mut ticket).await,
                    Err(status) => status.into_http(),
                }
            }
        };
        response.headers_mut().insert(X_REQUEST_ID, id.header_value());
        // Without a message the status comes with the head; there are no trailers then.
        if let Some(code) = request_log::code(response.headers()) {
            ticket.line.code = Some(code);
        }
        response.map(|body| Answer::body(body, ticket, limit))
    }

    async fn entering(&self, phase: Phase) {
        match phase {
            Phase::Serving | Phase::Cut => {}
            Phase::Draining => self.builtin.stop_serving().await,
            Phase::Closing => self.builtin.end_watches().await,
        }
    }
}

impl<I: Invoke> Services<I> {
    /// Has one of the host's own services answer, within bounds.
    async fn builtin(
        &self,
        parts: Parts,
        body: Inbound,
        ticket: &mut Ticket,
        limit: &mut Limit,
    ) -> Response<Body> {
        let Some(answerer) = self.builtin.find(parts.uri.path()) else {
            return Status::unimplemented("there is no such method").into_http();
        };
        let longest = self.limits.reflection_time_max;
        if builtin::is_stream(parts.uri.path()) {
            let seat = if ticket.connection().is_spare() { None } else { ticket.last(None) };
            let Some(lost) = seat else {
                let problem = "too many streams of this kind at once";
                return Status::resource_exhausted(problem).into_http();
            };
            limit.ending = Some(Box::pin(async move {
                lost.await;
                let gone = Status::unavailable("another needed the place of this stream");
                let mut trailers = HeaderMap::new();
                gone.add_header(&mut trailers).ok().map(|()| trailers)
            }));
        }
        if !builtin::is_watch(parts.uri.path()) {
            ticket.watch(longest + self.limits.server.response_stall_max);
        }
        let stopping = ticket.connection().reached(Phase::Closing);
        let body = body.until(async move {
            // The time may be over, or the server may stop: the stream ends either way.
            tokio::time::timeout(longest, stopping).await.unwrap_or_default();
        });
        answerer(Request::from_parts(parts, body)).await
    }

    /// Everything up to the message.
    async fn admit<'o>(
        &self,
        offer: &'o Offer<I>,
        parts: &Parts,
        ticket: &mut Ticket,
    ) -> Result<Admitted<'o, I>, Status> {
        let endpoint = offer
            .endpoints
            .get(parts.uri.path())
            .ok_or_else(|| Status::unimplemented("there is no such method"))?;
        ticket.line.label = Some(endpoint.label.clone());
        if ticket.connection().is_spare() {
            return Err(status::overloaded());
        }
        let identity = match endpoint.access.is_public() {
            true => None,
            false => match self.let_in(endpoint, &parts.headers).await {
                Ok(identity) => Some(identity),
                Err(stop) => return Err(self.stop(stop, endpoint, parts, ticket).await),
            },
        };
        let longest = timeout(&parts.headers)
            .map_err(|_| Status::invalid_argument("grpc-timeout is malformed"))?
            .map_or(endpoint.deadline, |wanted| wanted.min(endpoint.deadline));
        ticket.watch(longest + self.limits.server.response_stall_max);
        Ok(Admitted { endpoint, identity, until: Instant::now() + longest })
    }

    /// Who calls, if the token is good, goes on, and allows this.
    async fn let_in(
        &self,
        endpoint: &Endpoint<I>,
        headers: &HeaderMap,
    ) -> Result<Arc<Identity>, Stop> {
        let values: Vec<&HeaderValue> = headers.get_all(AUTHORIZATION).iter().collect();
        let trust = self.trust.as_ref();
        let admitted = trust.ok_or(Refusal::Missing).and_then(|t| t.admit(&values, now()));
        let refuse = |refusal| (status::refused_token(refusal), Why::Token(refusal), None);
        let identity = admitted.map_err(|refusal| Stop::Refused(refuse(refusal)))?;
        let has_ended = match &self.revoked {
            Some(revoked) => revoked.has_ended(&identity).await.map_err(Stop::Failed)?,
            None => false,
        };
        if has_ended {
            let status = status::refused_token(Refusal::Invalid);
            return Err(Stop::Refused((status, Why::EndedSession, Some(identity))));
        }
        match endpoint.access.permit(&identity) {
            Ok(()) => Ok(identity),
            Err(status) => Err(Stop::Refused((status, Why::Forbidden, Some(identity)))),
        }
    }

    /// What the client is told, once the component has been.
    async fn stop(
        &self,
        stop: Stop,
        endpoint: &Arc<Endpoint<I>>,
        parts: &Parts,
        ticket: &Ticket,
    ) -> Status {
        let (status, why, identity) = match stop {
            Stop::Failed(status) => return status,
            Stop::Refused(refused) => refused,
        };
        let refused = Refused {
            endpoint: endpoint.clone(),
            why,
            identity,
            request_id: ticket.line.id,
            address: ticket.connection().client(&parts.headers),
        };
        self.refusals.note(refused).await;
        status
    }

    /// Waits for the message and for a place, has it answered and encodes the answer, all within
    /// the call's time.
    async fn call(
        &self,
        admitted: Admitted<'_, I>,
        parts: Parts,
        mut body: Inbound,
        ticket: &mut Ticket,
    ) -> Response<Body> {
        let until = admitted.until;
        let place = timeout_at(until, async {
            body.gather(ticket).await.map_err(status::no_message)?;
            ticket.admit().await.map_err(|_| status::overloaded())
        });
        match place.await.unwrap_or_else(|_| Err(status::deadline())) {
            Ok(place) => {
                self.respond(admitted, Request::from_parts(parts, body), place, ticket).await
            }
            Err(status) => status.into_http(),
        }
    }

    async fn respond(
        &self,
        admitted: Admitted<'_, I>,
        request: Request<Inbound>,
        place: Arc<Place>,
        ticket: &Ticket,
    ) -> Response<Body> {
        let message_bytes_max = self.limits.message_bytes_max;
        let Admitted { endpoint, identity, until } = admitted;
        let traceparent = trace::parent(request.headers()).unwrap_or_default().to_owned();
        let address = ticket.connection().client(request.headers());
        let id = ticket.line.id;
        let context = CallContext {
            until: Some(until),
            request_id: Some(id),
            peer: Some(place.network()),
            held: Some(place),
            release: None,
        };
        let identity = identity.as_deref();
        let address = Some(address);
        let caller = Caller { identity, request_id: id, traceparent: &traceparent, address };
        let asked = AtomicBool::new(false);
        let answering = Answering(|arguments| {
            asked.store(true, Relaxed);
            let arguments = caller.supply(arguments, &endpoint.caller);
            invoke(endpoint, arguments, &context, message_bytes_max)
        });
        let mut grpc = Grpc::new(MethodCodec(endpoint.method.clone()))
            .accept_compressed(Gzip)
            .send_compressed(Gzip)
            .max_decoding_message_size(message_bytes_max);
        let answer = grpc.unary(answering, request);
        match timeout_at(until, answer).await {
            Err(_) => status::deadline().into_http(),
            // What tonic says of a message that is too large; other libraries say the same thing
            // by another name, which is the one that clients know.
            Ok(response) if !asked.load(Relaxed) && is(response.headers(), Code::OutOfRange) => {
                status::too_large(message_bytes_max).into_http()
            }
            Ok(response) => response,
        }
    }
}

/// Has tonic call a closure.
struct Answering<F>(F);

impl<F, Fut> UnaryService<Vec<Argument>> for Answering<F>
where
    F: FnMut(Vec<Argument>) -> Fut,
    Fut: Future<Output = Result<tonic::Response<Vec<u8>>, Status>>,
{
    type Response = Vec<u8>;
    type Future = Fut;

    fn call(&mut self, request: tonic::Request<Vec<Argument>>) -> Fut {
        (self.0)(request.into_inner())
    }
}

/// Calls the component and encodes what it returns.
async fn invoke<I: Invoke>(
    endpoint: &Endpoint<I>,
    arguments: Vec<Value>,
    context: &CallContext,
    message_bytes_max: usize,
) -> Result<tonic::Response<Vec<u8>>, Status> {
    let report = |error: &dyn Display| {
        let (rpc, component) = (&*endpoint.label.rpc, &*endpoint.label.component);
        let request_id = context.request_id.map(display);
        tracing::error!(request_id, component, rpc, %error, "a call failed");
    };
    let result = endpoint.function.call(arguments, context).await.map_err(|error| {
        report(&error);
        status::no_answer(&error)
    })?;
    let mut message = Vec::with_capacity(MESSAGE_BYTES);
    endpoint.method.encode(result.as_ref(), &mut message).map_err(|failure| {
        if failure == Failure::Mismatch {
            report(&failure);
        }
        status::failure(failure)
    })?;
    if message.len() > message_bytes_max {
        report(&"the answer is larger than a message may be");
        return Err(Status::resource_exhausted("the answer is larger than a message may be"));
    }
    let is_small = message.len() < COMPRESSED_BYTES_MIN;
    let mut response = tonic::Response::new(message);
    if is_small {
        response.disable_compression();
    }
    Ok(response)
}

/// The answer to what is no call.
fn no_call(refusal: NoCall, ticket: &mut Ticket) -> Response<Body> {
    match refusal {
        NoCall::TooLarge => Status::resource_exhausted("the metadata is too large").into_http(),
        NoCall::Http(status, words) => {
            // What clients of gRPC make of such a status.
            ticket.line.code = Some(Code::Unknown);
            let mut response = Response::new(Body::new(Full::from(words)));
            *response.status_mut() = status;
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, text);
            response
        }
    }
}

fn is(headers: &HeaderMap, code: Code) -> bool {
    request_log::code(headers) == Some(code)
}

/// Seconds of the Unix epoch; a clock before it reads as 0, when no token is good.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
