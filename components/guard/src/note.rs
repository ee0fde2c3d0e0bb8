//! Has the component behind write down whom guard did not let in, because only that one has a
//! database: by a request of its own that says who asked for what from where, and nothing of a
//! token. The answer to whoever was refused is the same whatever comes of it.
//!
//! Who asks often is told of seldom ([`token::Tally`]); what is told together is told by a task
//! that goes on when its request has been answered, and so is what could not be told at once.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use kit::peer::{self, CLIENT_ADDRESS};
use kit::refusal::{OPERATION, OUTCOME, TIMES};
use kit::{deadline, log};
use spin_sdk::http as spin;
use spin_sdk::time::sleep;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, HeaderError, Request, Scheme};
use spin_sdk::wasip3::{spawn, wit_future};
use token::{Identity, Kind, TOGETHER, TRIES, Tally, Turn, Why};

use crate::admit::{now, request_id};
use crate::forward;

/// How long the component is waited for. Whoever is refused waits as well.
const PATIENCE: Duration = Duration::from_secs(2);

thread_local! {
    static TALLY: RefCell<Tally> = RefCell::default();
}

/// Somebody who was not let in.
pub(crate) struct Refused {
    pub(crate) why: Why,
    /// What was asked for, if there is such a thing.
    pub(crate) operation: Option<&'static str>,
    /// Who it was, if that is known.
    pub(crate) identity: Option<Arc<Identity>>,
}

/// The request that was refused, as far as its row needs it.
struct Origin {
    address: Option<IpAddr>,
    headers: Fields,
}

impl Refused {
    /// Has it written down, or counted with others.
    pub(crate) async fn note(self, headers: &Fields) {
        let origin = Origin::of(headers);
        let who = self.identity.as_ref().map(|identity| identity.subject);
        let kind = Kind::new(self.why, origin.address, who);
        match with(|tally| tally.take(kind, now())) {
            Turn::Now => {
                if !self.is_told(&origin, 1).await
                    && let Some(counted) = with(|tally| tally.again(kind, 1, now()))
                {
                    spawn(self.tell_together(origin, kind, counted));
                }
            }
            Turn::Later(counted) => spawn(self.tell_together(origin, kind, counted)),
            Turn::Counted => {}
        }
    }

    /// Tells of all that come within a while, and until they are told; of those that are too many
    /// to be known apart, neither from where nor who.
    async fn tell_together(mut self, mut origin: Origin, own: Kind, mut counted: Kind) {
        self.operation = None;
        for left in (0..TRIES).rev() {
            if counted != own {
                (self.identity, origin.address) = (None, None);
            }
            sleep(TOGETHER).await;
            let times = with(|tally| tally.counted(counted));
            if self.is_told(&origin, times).await {
                return;
            }
            if left == 0 {
                with(|tally| tally.give_back(counted, times, now()));
                return;
            }
            let again = with(|tally| tally.again(counted, times, now()));
            let Some(next) = again else { return };
            counted = next;
        }
    }

    async fn is_told(&self, origin: &Origin, times: u64) -> bool {
        let cause = match deadline::within(PATIENCE, self.ask(origin, times)).await {
            Some(Ok(StatusCode::NO_CONTENT)) => return true,
            // The component has said why.
            Some(Ok(_)) => "not-noted",
            Some(Err(_)) => "no-answer",
            None => "no-answer-in-time",
        };
        log::failure("guard.refused", cause, &request_id(&origin.headers));
        false
    }

    async fn ask(&self, origin: &Origin, times: u64) -> Result<StatusCode, ErrorCode> {
        let headers = self.headers(origin, times).map_err(|_| forward::internal("headers"))?;
        let (_, no_trailers) = wit_future::new(|| Ok(None));
        let (request, _sent) = Request::new(headers, None, no_trailers, None);
        request
            .set_path_with_query(Some("/"))
            // Nothing of the client's, which might keep the row from being written.
            .and_then(|()| request.set_authority(Some("localhost")))
            .and_then(|()| request.set_scheme(Some(&Scheme::Http)))
            .map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
        Ok(spin::next(request).await?.status())
    }

    fn headers(&self, origin: &Origin, times: u64) -> Result<Fields, HeaderError> {
        let headers = Fields::new();
        for id in origin.headers.get("x-request-id") {
            headers.append("x-request-id", &id)?;
        }
        let set = |name: &str, value: &str| headers.append(name, value.as_bytes());
        if let Some(address) = origin.address {
            set(CLIENT_ADDRESS, &address.to_string())?;
        }
        if let Some(identity) = &self.identity {
            forward::name(&headers, identity)?;
        }
        if let Some(operation) = self.operation {
            set(OPERATION, operation)?;
        }
        set(TIMES, &times.to_string())?;
        set(OUTCOME, self.why.code())?;
        Ok(headers)
    }
}

fn with<T>(use_it: impl FnOnce(&mut Tally) -> T) -> T {
    TALLY.with_borrow_mut(use_it)
}

impl Origin {
    fn of(headers: &Fields) -> Self {
        let address = headers.get(CLIENT_ADDRESS).pop();
        let address = address.and_then(|text| peer::parse(std::str::from_utf8(&text).ok()?));
        Self { address, headers: headers.clone() }
    }
}
