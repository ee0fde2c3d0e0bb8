//! Calls that were not let in, told to the component that they were for, by the function that the
//! manifest names as `refused`. Who asks often is told of seldom ([`token::Tally`]). The status
//! that the client gets is the same whatever comes of it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use token::{Identity, Kind, TOGETHER, TRIES, Tally, Turn, Why};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use ward_runtime::{CallContext, RequestId};
use ward_wire::Value;

use crate::caller::Caller;
use crate::invoke::Invoke;
use crate::offer::Endpoint;
use crate::service::now;

/// How long the component is waited for. Whoever is refused waits as well.
const PATIENCE: Duration = Duration::from_secs(2);

/// Those who were not let in and are still to be told of, and the tasks that will tell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<(Tally, JoinSet<()>)>>);

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
        let later = match self.with(|tally| tally.take(kind, now())) {
            Turn::Now => {
                let (address, rpc) = (Some(refused.address), &refused.endpoint.label.rpc);
                let is_told = refused.is_told(address, rpc, 1).await;
                if is_told { None } else { self.with(|tally| tally.again(kind, 1, now())) }
            }
            Turn::Later(counted) => Some(counted),
            Turn::Counted => None,
        };
        if let Some(counted) = later {
            let telling = self.clone().tell_together(refused, kind, counted);
            let (_, tasks) = &mut *self.lock();
            while tasks.try_join_next().is_some() {}
            tasks.spawn(telling);
        }
    }

    /// Tells of all that come within a while, and until they are told; of those that are too many
    /// to be known apart, neither from where nor who.
    async fn tell_together<I: Invoke>(self, mut refused: Refused<I>, own: Kind, mut counted: Kind) {
        for left in (0..TRIES).rev() {
            let is_known = counted == own;
            if !is_known {
                refused.identity = None;
            }
            sleep(TOGETHER).await;
            let times = self.with(|tally| tally.counted(counted));
            let address = Some(refused.address).filter(|_| is_known);
            if refused.is_told(address, "", times).await {
                return;
            }
            if left == 0 {
                self.with(|tally| tally.give_back(counted, times, now()));
                return;
            }
            let again = self.with(|tally| tally.again(counted, times, now()));
            let Some(next) = again else { return };
            counted = next;
        }
    }

    /// Waits for those that are being told of, but not for ever: after this nobody is refused.
    pub(crate) async fn end(&self) {
        let mut tasks = std::mem::take(&mut self.lock().1);
        let told = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(TOGETHER + PATIENCE, told).await.is_err() {
            tracing::error!("refused calls were not told of before the end");
        }
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Tally) -> T) -> T {
        use_it(&mut self.lock().0)
    }

    fn lock(&self) -> MutexGuard<'_, (Tally, JoinSet<()>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Invoke> Refused<I> {
    /// Tells the component; whether it answered.
    async fn is_told(&self, address: Option<IpAddr>, rpc: &str, times: u64) -> bool {
        let Some(function) = &self.endpoint.refused else { return true };
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
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let (request_id, component) = (self.request_id, &*self.endpoint.label.component);
        tracing::error!(%request_id, component, failed, "a refused call was not told of");
        false
    }
}
