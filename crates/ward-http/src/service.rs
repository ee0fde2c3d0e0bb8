//! The life of one request, in order: its head is checked; the host's own paths are answered; a
//! route is found; the body's announced length is checked; a place among the running requests is
//! taken; the component answers; what it answered is sent.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use ward_runtime::{HandleError, RequestId, X_REQUEST_ID};

use crate::access::Ticket;
use crate::activity::Activity;
use crate::handler::Handler;
use crate::inbound::Inbound;
use crate::outgoing::Outgoing;
use crate::problem::Problem;
use crate::request;
use crate::server::Shared;
use crate::table::{Table, Target};
use crate::well_known::WellKnown;

/// What the requests of one connection have in common.
#[derive(Debug)]
pub(crate) struct Service<H> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) table: Arc<Table<H>>,
    pub(crate) activity: Arc<Activity>,
    /// `spin-client-addr`.
    pub(crate) client: HeaderValue,
}

/// Where a request goes that is not refused.
enum Step<'a, H> {
    Answer(Response<Bytes>),
    Component(&'a H),
}

impl<H: Handler> Service<H> {
    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Outgoing> {
        let (mut parts, body) = request.into_parts();
        let body = Inbound::new(body, &parts, &self.shared.limits);
        let id = RequestId::of(&parts.headers);
        let mut ticket = Ticket::begin(&self.activity, id, parts.version, &parts.method);
        let mut response = match self.admit(&mut parts, &body, &mut ticket) {
            Ok(Step::Component(handler)) => self.call(handler, parts, body, ticket).await,
            Ok(Step::Answer(response)) => Outgoing::bytes(response, ticket),
            Err(problem) => refuse(problem, ticket),
        };
        response.headers_mut().insert(X_REQUEST_ID, id.header_value());
        response
    }

    /// Everything up to the component, which is called with `parts` as they are left here.
    fn admit(
        &self,
        parts: &mut Parts,
        body: &Inbound,
        ticket: &mut Ticket,
    ) -> Result<Step<'_, H>, Problem> {
        let limits = &self.shared.limits;
        request::check(parts, limits.head_bytes_max)?;
        if self.shared.draining.load(Relaxed) {
            return Err(Problem::Draining);
        }
        let path = parts.uri.path();
        if WellKnown::is_under(path) {
            ticket.is_probe();
            let well_known = self.table.well_known.as_ref().ok_or(Problem::NotFound)?;
            return well_known.answer(&parts.method, path).map(Step::Answer);
        }
        let found = self.table.router.find(path).ok_or(Problem::NotFound)?;
        ticket.routed(&found.target.label);
        let handler = match &found.target.target {
            Target::Component(handler) => handler,
            Target::Static(answer) => return Ok(Step::Answer(answer.response())),
        };
        if body.is_too_large() {
            return Err(Problem::ContentTooLarge);
        }
        if !ticket.admit(limits.requests_max) {
            return Err(Problem::Overloaded);
        }
        request::prepare(&parts.uri, &mut parts.headers, &found, &self.client, ticket.id())?;
        Ok(Step::Component(handler))
    }

    async fn call(
        &self,
        handler: &H,
        parts: Parts,
        body: Inbound,
        mut ticket: Ticket,
    ) -> Response<Outgoing> {
        let verdict = body.verdict();
        let deadline = handler.deadline();
        // The head may take the deadline and the body as long again. A stream that is open still
        // later, by the time a slow reader may take, has a client that does not read.
        let longest = deadline * 2;
        ticket.watch(longest + self.shared.limits.response_stall_max);
        let request = Request::from_parts(parts, body.into_body());
        let outcome = handler.handle(request).await;
        match (verdict.problem(), outcome) {
            (Some(problem), _) => refuse(problem, ticket),
            (None, Ok(response)) => Outgoing::component(response, ticket, longest).await,
            (None, Err(error)) => {
                report(&ticket, &error);
                refuse(problem(&error), ticket)
            }
        }
    }
}

fn refuse(problem: Problem, ticket: Ticket) -> Response<Outgoing> {
    Outgoing::bytes(problem.response(ticket.id(), ticket.version()), ticket)
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
    let request_id = ticket.id();
    let (component, route) =
        ticket.label().map_or(("", ""), |label| (&*label.component, &*label.route));
    tracing::error!(%request_id, component, route, %error, "a request failed");
}
