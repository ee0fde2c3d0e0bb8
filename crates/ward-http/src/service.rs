//! The life of one request, in order: its head is checked; the host's own paths are answered; a
//! route is found; a browser's question whether its page may ask is answered; the body's announced
//! length is checked; the body's beginning is read; a place among the requests at work is taken;
//! the component answers; what it answered is sent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::time::Instant;
use ward_runtime::{BodyError, CallContext, HandleError, Held, RequestId, X_REQUEST_ID};
use ward_serve::{Answer, Connection, Current, Inbound, Limit, Phase, Refusal};

use crate::browser::Browsers;
use crate::gather::{Gathered, gather};
use crate::handler::Handler;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::request;
use crate::request_log::Line;
use crate::table::{Responder, Routes};
use crate::well_known::WellKnown;

type Ticket = ward_serve::Ticket<Line>;

/// The body of a response.
pub(crate) type Outgoing = Answer<ward_runtime::Body, Line>;

/// What answers on one listener.
#[derive(Debug)]
pub(crate) struct Service<H> {
    /// Which listener it is.
    pub(crate) listener: usize,
    pub(crate) routes: Current<Routes<H>>,
    /// What clients call the way they come by.
    pub(crate) scheme: Scheme,
    pub(crate) browsers: Browsers,
    pub(crate) metrics: Metrics,
    /// How long a connection of HTTP/1 is kept between two requests, for clients and load
    /// balancers to keep it for less.
    pub(crate) keep_alive: HeaderValue,
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// What is said of a connection that is kept for so long.
pub(crate) fn keep_alive(idle_time_max: Duration) -> HeaderValue {
    let value = HeaderValue::try_from(format!("timeout={}", idle_time_max.as_secs()));
    value.unwrap_or(HeaderValue::from_static("timeout=0"))
}

/// Whether the client means to use the connection again, and it is one of which that is said.
fn keeps_connection(parts: &Parts) -> bool {
    let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    parts.version == Version::HTTP_11 && !parts.headers.get(CONNECTION).is_some_and(closes)
}

/// Where a request goes that is not refused.
enum Step<'a, H> {
    Answer(Response<Bytes>),
    Component(&'a H),
}

impl<H: Handler> ward_serve::Service for Service<H> {
    type Body = Outgoing;

    async fn answer(
        &self,
        connection: &Arc<Connection>,
        request: Request<Incoming>,
    ) -> Response<Outgoing> {
        let (mut parts, body) = request.into_parts();
        let body = Inbound::new(body, &parts, connection.limits());
        let (id, keeps) = (RequestId::of(&parts.headers), keeps_connection(&parts));
        let origin = self.browsers.allowed(&parts.headers);
        let line = Line::new(id, &parts, &self.metrics);
        let mut ticket = Ticket::begin(connection, &parts, line, true);
        // What is published from here on is for the requests that come after.
        let routes = self.routes.get();
        let mut response = match self.admit(&routes, &mut parts, &body, &mut ticket) {
            Ok(Step::Component(handler)) => call(handler, parts, body, ticket).await,
            Ok(Step::Answer(response)) => at_hand(response, ticket),
            Err(problem) => refuse(problem, ticket),
        };
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, id.header_value());
        self.browsers.finish(origin, headers);
        if keeps && !headers.contains_key(CONNECTION) {
            headers.insert(KEEP_ALIVE, self.keep_alive.clone());
        }
        response
    }
}

impl<H: Handler> Service<H> {
    /// Everything up to the component, which is called with `parts` as they are left here.
    fn admit<'r>(
        &self,
        routes: &'r Routes<H>,
        parts: &mut Parts,
        body: &Inbound,
        ticket: &mut Ticket,
    ) -> Result<Step<'r, H>, Problem> {
        let connection = ticket.connection().clone();
        request::check(parts, &self.scheme, connection.limits().head_bytes_max)?;
        self.browsers.check_name(parts.uri.authority())?;
        if connection.is_draining() {
            return Err(Problem::Draining);
        }
        let table = routes.table(self.listener).ok_or(Problem::NotFound)?;
        let path = parts.uri.path();
        if WellKnown::is_under(path) {
            ticket.line.is_probe = true;
            let well_known = table.well_known.as_ref().ok_or(Problem::NotFound)?;
            return well_known.answer(&parts.method, path).map(Step::Answer);
        }
        let found = table.router.find(path).ok_or(Problem::NotFound)?;
        ticket.line.label = Some(found.target.label.clone());
        if connection.is_spare() {
            return Err(Problem::NoRoom);
        }
        if let Some(answer) = self.browsers.preflight(parts) {
            return answer.map(Step::Answer);
        }
        let handler = match &found.target.target {
            Responder::Component(handler) => handler,
            Responder::Static(answer) => return Ok(Step::Answer(answer.response())),
        };
        if body.is_too_large() {
            return Err(Problem::ContentTooLarge);
        }
        let (id, client) = (ticket.line.id, connection.client_value(&parts.headers));
        request::prepare(&parts.uri, &mut parts.headers, &found, client, id)?;
        Ok(Step::Component(handler))
    }
}

async fn call<H: Handler>(
    handler: &H,
    parts: Parts,
    mut body: Inbound,
    mut ticket: Ticket,
) -> Response<Outgoing> {
    if let Err(refusal) = body.gather(&ticket).await {
        return refuse(problem_of(refusal), ticket);
    }
    let Ok(place) = ticket.admit().await else { return refuse(Problem::Overloaded, ticket) };
    let verdict = body.verdict();
    let credential = parts.headers.get(AUTHORIZATION).cloned();
    // A stream that is open still later, by the time a slow reader may take, has a client that
    // does not read.
    let longest = handler.deadline() + handler.stream_deadline();
    ticket.watch(longest + ticket.connection().limits().response_stall_max);
    let request = Request::from_parts(parts, for_component(body));
    let request_id = Some(ticket.line.id);
    let (peer, held) = (Some(place.network()), Some(place as Held));
    let context = CallContext { request_id, peer, held, ..CallContext::default() };
    let outcome = handler.handle(request, context).await;
    match (verdict.refusal(), outcome) {
        (Some(refusal), _) => refuse(problem_of(refusal), ticket),
        (None, Ok(response)) => {
            let until = Some(Instant::from_std(ticket.started() + longest));
            let mut limit = Limit { until, ending: None };
            if is_event_stream(&response) {
                let Some(lost) = ticket.last(credential.as_ref()) else {
                    return refuse(Problem::Overloaded, ticket);
                };
                let stopping = ticket.connection().reached(Phase::Draining);
                limit.ending = Some(Box::pin(async move {
                    tokio::select! {
                        () = stopping => None,
                        () = lost => None,
                    }
                }));
            }
            to_come(response, ticket, limit).await
        }
        (None, Err(error)) => {
            report(&ticket, &error);
            refuse(problem(&error), ticket)
        }
    }
}

/// The body as components take it.
fn for_component(body: Inbound) -> ward_runtime::Body {
    if body.is_empty() {
        // A box of nothing is no allocation.
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    let error = |refusal| match refusal {
        Refusal::TooLarge => BodyError::HttpRequestBodySize(None),
        Refusal::TooSlow | Refusal::TooMany => BodyError::ConnectionReadTimeout,
        Refusal::BrokeOff => BodyError::HttpProtocolError,
    };
    body.map_err(error).boxed_unsync()
}

/// A response whose body is at hand.
fn at_hand(response: Response<Bytes>, mut ticket: Ticket) -> Response<Outgoing> {
    let (mut parts, mut body) = response.into_parts();
    ticket.line.status = Some(parts.status);
    if ticket.line.is_head() {
        announce(&mut parts, body.len() as u64);
        body = Bytes::new();
    }
    Response::from_parts(parts, Answer::bytes(body, ticket))
}

/// A component's response. What its body has ready is sent with its head.
async fn to_come(
    response: Response<ward_runtime::Body>,
    mut ticket: Ticket,
    limit: Limit,
) -> Response<Outgoing> {
    let (mut parts, mut body) = response.into_parts();
    ticket.line.status = Some(parts.status);
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if ticket.line.is_head() {
        let exact = http_body::Body::size_hint(&body).exact().filter(|exact| *exact > 0);
        if let Some(length) = declared.or(exact) {
            announce(&mut parts, length);
        }
        return Response::from_parts(parts, Answer::bytes(Bytes::new(), ticket));
    }
    let answer = match gather(&mut body, declared).await {
        Gathered::Whole(bytes) => Answer::bytes(bytes, ticket),
        Gathered::Part(ahead) => Answer::body(body, ticket, limit).ahead(ahead).announced(declared),
    };
    Response::from_parts(parts, answer)
}

/// The answer to HEAD has the length that the answer to GET would have, and no body.
fn announce(parts: &mut http::response::Parts, length: u64) {
    parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
}

/// Server-sent events: they go on for ever, and their client comes again by itself when they end.
fn is_event_stream(response: &Response<ward_runtime::Body>) -> bool {
    let media = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    media.is_some_and(|media| media.starts_with(b"text/event-stream"))
}

fn refuse(problem: Problem, ticket: Ticket) -> Response<Outgoing> {
    at_hand(problem.response(ticket.line.id, ticket.line.version), ticket)
}

fn problem_of(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::TooLarge => Problem::ContentTooLarge,
        Refusal::TooSlow => Problem::RequestTimeout,
        Refusal::TooMany => Problem::Overloaded,
        Refusal::BrokeOff => Problem::BadRequest("The request's body broke off, or is malformed."),
    }
}

fn problem(error: &HandleError) -> Problem {
    match error {
        HandleError::Deadline => Problem::DeadlineExceeded,
        HandleError::Overloaded => Problem::Overloaded,
        HandleError::Trapped(_) | HandleError::Instantiate(_) | HandleError::Guest(_) => {
            Problem::ComponentFailed
        }
    }
}

fn report(ticket: &Ticket, error: &HandleError) {
    // Nothing failed; the line of the request says what it got, and the runtime what ran out.
    if matches!(error, HandleError::Overloaded) {
        return;
    }
    let (request_id, (route, component)) = (ticket.line.id, ticket.line.names());
    tracing::error!(%request_id, component, route, %error, "a request failed");
}
