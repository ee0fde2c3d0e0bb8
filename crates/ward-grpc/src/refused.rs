//! Calls that were not let in, told to the component that they were for, by the function that the
//! manifest names as `refused`. Who asks often is told of seldom ([`token::Tally`]). The status
//! that the client gets is the same whatever comes of it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use token::{Identity, Kind, TOGETHER, Tally, Turn, Why};
use tokio::time::{Instant, sleep};
use ward_runtime::{CallContext, RequestId};
use ward_wire::Value;

use crate::caller::Caller;
use crate::invoke::Invoke;
use crate::offer::Endpoint;
use crate::service::now;

/// How long the component is waited for. Whoever is refused waits as well.
const PATIENCE: Duration = Duration::from_secs(2);

/// Those who were not let in and are still to be told of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<Tally>>);

/// A call that was not let in.
#[derive(Debug)]
pub(crate) struct Refused<I> {
    pub(crate) endpoint: Arc<Endpoint<I>>,
    pub(crate) why: Why,
    /// Who it was, where the token was good.
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) request_id: RequestId,
    pub(crate) address: IpAddr,
}

impl Refusals {
    /// Tells the component, or has the call counted with others.
    pub(crate) async fn note<I: Invoke>(&self, refused: Refused<I>) {
        if refused.endpoint.refused.is_none() {
            return;
        }
        let who = refused.identity.as_ref().map(|identity| identity.subject);
        let kind = Kind::new(refused.why, Some(refused.address), who);
        match self.with(|tally| tally.take(kind, now())) {
            Turn::Now => refused.tell(Some(refused.address), &refused.endpoint.label.rpc, 1).await,
            Turn::Later(counted) => {
                let refusals = self.clone();
                tokio::spawn(async move {
                    sleep(TOGETHER).await;
                    let times = refusals.with(|tally| tally.counted(counted));
                    refused.tell_together(times, counted == kind).await;
                });
            }
            Turn::Counted => {}
        }
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Tally) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<I: Invoke> Refused<I> {
    /// Of those that are too many to be known apart, neither from where nor who.
    async fn tell_together(mut self, times: u64, is_known: bool) {
        if !is_known {
            self.identity = None;
        }
        self.tell(Some(self.address).filter(|_| is_known), "", times).await;
    }

    async fn tell(&self, address: Option<IpAddr>, rpc: &str, times: u64) {
        let Some(function) = &self.endpoint.refused else { return };
        let caller = Caller {
            identity: self.identity.as_deref(),
            request_id: self.request_id,
            traceparent: "",
            address,
        };
        let arguments = vec![
            caller.record(&self.endpoint.caller),
            Value::String(rpc.trim_start_matches('/').to_owned()),
            Value::String(self.why.code().to_owned()),
            Value::U64(times),
        ];
        let until = Instant::now() + PATIENCE;
        let context = CallContext {
            until: Some(until),
            request_id: Some(self.request_id),
            peer: address,
            held: None,
            release: None,
        };
        let told = tokio::time::timeout_at(until, function.call(arguments, &context)).await;
        let failed = match told {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let (request_id, component) = (self.request_id, &*self.endpoint.label.component);
        tracing::error!(%request_id, component, failed, "a refused call was not told of");
    }
}
