//! The life of one call, in order: its head is checked; the host's own services are answered; a
//! method is found; the caller is verified; a place among the running calls is taken; the message
//! is read; the component answers; what it answered is sent.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use token::{Identity, Refusal};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use ward_runtime::{CallContext, RequestId, X_REQUEST_ID};
use ward_wire::{Argument, Failure, Value};

use crate::access::{Kind, Ticket};
use crate::caller::Caller;
use crate::clocks::Clocks;
use crate::codec::MethodCodec;
use crate::head::{self, NoCall};
use crate::invoke::Invoke;
use crate::limits::{COMPRESSED_BYTES_MIN, MESSAGE_BYTES};
use crate::offer::Endpoint;
use crate::outgoing::{self, Outgoing};
use crate::own::{self, Question};
use crate::server::{Phase, Shared};
use crate::status;
use crate::timeout::timeout;
use crate::trace;

/// What the calls of one connection have in common.
pub(crate) struct Service<I> {
    pub(crate) shared: Arc<Shared<I>>,
    pub(crate) clocks: Arc<Clocks>,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// A call that is let in.
struct Admitted<'a, I> {
    endpoint: &'a Arc<Endpoint<I>>,
    identity: Option<Arc<Identity>>,
    /// When the caller or the component has no more time.
    until: Instant,
}

impl<I: Invoke> Service<I> {
    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Outgoing> {
        let (parts, body) = request.into_parts();
        let id = RequestId::of(&parts.headers);
        let own = self.shared.own.find(parts.uri.path());
        let kind = if own.is_some() { Kind::Own } else { Kind::Call };
        let mut ticket = Ticket::begin(&self.clocks, kind, id);
        let mut response = match head::check(&parts, self.shared.limits.head_bytes_max) {
            Err(refusal) => no_call(refusal, &mut ticket),
            Ok(()) => match own {
                Some(answerer) => match self.question(parts, body, &mut ticket) {
                    Ok(question) => answerer(question).await,
                    Err(status) => status.into_http(),
                },
                None => match self.admit(&parts, &mut ticket) {
                    Ok(admitted) => self.call(admitted, parts, body, id).await,
                    Err(status) => status.into_http(),
                },
            },
        };
        response.headers_mut().insert(X_REQUEST_ID, id.header_value());
        Outgoing::new(response, ticket)
    }

    /// A request to one of the host's own services, bounded.
    fn question(
        &self,
        parts: Parts,
        body: Incoming,
        ticket: &mut Ticket,
    ) -> Result<Request<Question>, Status> {
        let limits = &self.shared.limits;
        if own::is_stream(parts.uri.path()) && !ticket.admit_watch(limits.watches_max) {
            return Err(Status::resource_exhausted("too many streams of this kind at once"));
        }
        let longest = limits.reflection_time_max;
        if !own::is_watch(parts.uri.path()) {
            ticket.watch(longest + limits.answer_stall_max);
        }
        let mut phase = self.phase.clone();
        let until = async move {
            let closing = phase.wait_for(|phase| *phase >= Phase::Closing);
            // The time may be over, the server may close, or be gone: the stream ends either way.
            drop(tokio::time::timeout(longest, closing).await);
        };
        Ok(Request::from_parts(parts, Question::new(body, until)))
    }

    /// Everything up to the component.
    fn admit(&self, parts: &Parts, ticket: &mut Ticket) -> Result<Admitted<'_, I>, Status> {
        let shared = &*self.shared;
        let endpoint = shared
            .endpoints
            .get(parts.uri.path())
            .ok_or_else(|| Status::unimplemented("there is no such method"))?;
        ticket.routed(&endpoint.label);
        let identity = match endpoint.public {
            true => None,
            false => Some(self.identify(&parts.headers)?),
        };
        let longest = timeout(&parts.headers)
            .map_err(|_| Status::invalid_argument("grpc-timeout is malformed"))?
            .map_or(endpoint.deadline, |wanted| wanted.min(endpoint.deadline));
        if !ticket.admit(shared.limits.calls_max) {
            return Err(status::overloaded());
        }
        ticket.watch(longest + shared.limits.answer_stall_max);
        Ok(Admitted { endpoint, identity, until: Instant::now() + longest })
    }

    fn identify(&self, headers: &HeaderMap) -> Result<Arc<Identity>, Status> {
        let values: Vec<&HeaderValue> = headers.get_all(AUTHORIZATION).iter().collect();
        let trust = self.shared.trust.as_ref();
        let admitted = trust.ok_or(Refusal::Missing).and_then(|t| t.admit(&values, now()));
        admitted.map_err(|refusal| {
            Status::unauthenticated(match refusal {
                Refusal::Missing => "a bearer token is needed, as metadata `authorization`",
                Refusal::Invalid => "the token is not valid",
            })
        })
    }

    /// Reads the message, has it answered and encodes the answer, all within the call's time.
    async fn call(
        &self,
        admitted: Admitted<'_, I>,
        parts: Parts,
        body: Incoming,
        id: RequestId,
    ) -> Response<Body> {
        let limits = &self.shared.limits;
        let Admitted { endpoint, identity, until } = admitted;
        let traceparent = trace::parent(&parts.headers).unwrap_or_default().to_owned();
        let context = CallContext { until: Some(until), request_id: id.text() };
        let caller = Caller {
            identity: identity.as_deref(),
            request_id: &context.request_id,
            traceparent: &traceparent,
        };
        let asked = AtomicBool::new(false);
        let answering = Answering(|arguments| {
            asked.store(true, Relaxed);
            let arguments = caller.supply(arguments, &endpoint.caller);
            invoke(endpoint, arguments, &context, limits.message_bytes_max)
        });
        let mut grpc = Grpc::new(MethodCodec(endpoint.method.clone()))
            .accept_compressed(Gzip)
            .send_compressed(Gzip)
            .max_decoding_message_size(limits.message_bytes_max);
        let answer = grpc.unary(answering, Request::from_parts(parts, body));
        match tokio::time::timeout_at(until, answer).await {
            Err(_) => status::deadline().into_http(),
            // What tonic says of a message that is too large; other libraries say the same thing
            // by another name, which is the one that clients know.
            Ok(response) if !asked.load(Relaxed) && is(response.headers(), Code::OutOfRange) => {
                let problem =
                    format!("the message is larger than {} bytes", limits.message_bytes_max);
                Status::resource_exhausted(problem).into_http()
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
        tracing::error!(request_id = %context.request_id, component, rpc, %error, "a call failed");
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
        NoCall::Http(status) => {
            // What clients of gRPC make of such a status.
            ticket.answered(Code::Unknown);
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            response
        }
    }
}

fn is(headers: &HeaderMap, code: Code) -> bool {
    outgoing::code(headers) == Some(code)
}

/// Seconds of the Unix epoch; a clock before it reads as 0, when no token is good.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
