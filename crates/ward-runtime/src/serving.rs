//! On whose behalf an instance works at the moment. A link that is called from inside an instance
//! learns here how much time is left and which request it belongs to; the component itself can
//! neither see nor change it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::UpdateDeadline;
use wasmtime::component::GuestTaskId;

use crate::busy::{AtWork, Busy};
use crate::call::CallContext;
use crate::release::Release;
use crate::request_id::RequestId;
use crate::scheduler::Computation;
use crate::turns::Peer;

/// Why an instance ended that computed for nobody.
pub(crate) const ABANDONED: &str = "nobody waits for the answer any more";

/// What one instance is serving: several requests at once over HTTP, one call otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    work: Arc<Mutex<Work>>,
    computation: Arc<Computation>,
}

#[derive(Debug, Default)]
struct Work {
    requests: Vec<Request>,
    /// Requests begun since the instance had nothing at all to do.
    begun: usize,
    /// In which release the last of them began.
    release: Option<Arc<Release>>,
    /// Who is told whether it has something to do.
    busy: Option<Busy>,
    at_work: Option<AtWork>,
}

#[derive(Debug)]
struct Request {
    /// The guest's task, where several are served at once and have to be told apart.
    task: Option<GuestTaskId>,
    context: CallContext,
    abandoned: Abandoned,
}

/// Whether nobody waits for an answer any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// So it will be when what is returned is dropped without having heard of an answer.
    pub(crate) fn unless_answered(&self) -> Waiting {
        Waiting(Some(self.clone()))
    }
}

/// Somebody who waits for an answer.
pub(crate) struct Waiting(Option<Abandoned>);

impl Waiting {
    pub(crate) fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(Abandoned(abandoned)) = &self.0 {
            abandoned.store(true, Relaxed);
        }
    }
}

impl Serving {
    /// Nothing yet. `computation` is the instance's.
    pub(crate) fn new(computation: Arc<Computation>) -> Self {
        Self { work: Arc::default(), computation }
    }

    /// Has it told when the instance has something to do, and when it has [nothing](Self::idle).
    pub(crate) fn tell(&self, busy: Busy) {
        self.lock().busy = Some(busy);
    }

    /// Notes that `context` is being served, until what is returned is dropped.
    pub(crate) fn begin(
        &self,
        task: Option<GuestTaskId>,
        context: CallContext,
        abandoned: Abandoned,
    ) -> Served {
        let first_tick = self.computation.begin(context.peer);
        let mut work = self.lock();
        work.begun += 1;
        work.release.clone_from(&context.release);
        if work.at_work.is_none() {
            work.at_work = work.busy.as_ref().map(Busy::begin);
        }
        work.requests.push(Request { task, context, abandoned });
        drop(work);
        Served { serving: self.clone(), task, first_tick }
    }

    /// What the guest code is doing that has this stack of tasks. Of work that nobody waits for any
    /// more only the release is known.
    pub(crate) fn context(&self, mut stack: impl Iterator<Item = GuestTaskId>) -> CallContext {
        let work = self.lock();
        if let [Request { task: None, context, .. }] = work.requests.as_slice() {
            return context.clone();
        }
        let of = |task| work.requests.iter().find(|request| request.task == Some(task));
        match stack.find_map(of) {
            Some(request) => request.context.clone(),
            None => CallContext { release: work.release.clone(), ..CallContext::default() },
        }
    }

    /// The request id of the one that is being served; `None` where there are several, since a
    /// line that a guest prints does not say which it belongs to.
    pub(crate) fn request_id(&self) -> Option<RequestId> {
        match self.lock().requests.as_slice() {
            [only] => only.context.request_id,
            _ => None,
        }
    }

    /// The instance gives its thread back.
    pub(crate) fn hand_back(&self) {
        self.computation.hand_back();
    }

    /// The instance has nothing at all to do: no request, no body, and no task of one that was
    /// answered.
    pub(crate) fn idle(&self) {
        let mut work = self.lock();
        (work.begun, work.at_work) = (0, None);
        // What nobody uses any more is dropped when the lock is free again.
        let release = work.release.take();
        drop(work);
        drop(release);
    }

    /// The clock has ticked while the instance computed: what it is to do. It ends where it
    /// computes for requests alone that nobody waits for any more, and nothing of an earlier one
    /// may be going on in it; what such a request has sent to a database and not committed is
    /// rolled back, as when its client's connection had broken a moment before.
    pub(crate) fn pause(&self) -> wasmtime::Result<UpdateDeadline> {
        let work = self.lock();
        let Work { requests, begun, .. } = &*work;
        let is_abandoned = |request: &Request| request.abandoned.is_so();
        let is_all_there_is = requests.len() == *begun && !requests.is_empty();
        let is_for_nobody = is_all_there_is && requests.iter().all(is_abandoned);
        let peers: Vec<Peer> = requests.iter().map(|request| request.context.peer).collect();
        drop(work);
        if is_for_nobody {
            self.computation.charge(peers.into_iter());
            return Err(wasmtime::Error::msg(ABANDONED));
        }
        Ok(self.computation.pause(peers.into_iter()))
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what [`Serving::begin`] began.
pub(crate) struct Served {
    serving: Serving,
    task: Option<GuestTaskId>,
    first_tick: u64,
}

impl Served {
    /// The epoch from now at which the guest is to be interrupted first. Those that passed while
    /// its instance was idle are no reason to do so.
    pub(crate) fn first_tick(&self) -> u64 {
        self.first_tick
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let mut work = self.serving.lock();
        let at = work.requests.iter().position(|request| request.task == self.task);
        let ended = at.map(|at| work.requests.swap_remove(at));
        if work.requests.is_empty() {
            self.serving.computation.end();
        }
        // It may be the last of its release, whose end takes a while.
        drop(work);
        drop(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::Scheduler;
    use futures::FutureExt;

    fn serving() -> Serving {
        Serving::new(Scheduler::new().computation())
    }

    fn context(id: RequestId) -> CallContext {
        CallContext { request_id: Some(id), ..CallContext::default() }
    }

    #[test]
    fn one_call_is_known_without_a_task_and_forgotten_at_its_end() {
        let (serving, id) = (serving(), RequestId::new());
        assert!(serving.request_id().is_none());
        let served = serving.begin(None, context(id), Abandoned::default());
        assert_eq!(serving.request_id(), Some(id));
        assert_eq!(serving.context(std::iter::empty()).request_id, Some(id));
        drop(served);
        assert_eq!(serving.context(std::iter::empty()).request_id, None);
    }

    #[test]
    fn a_line_of_one_of_several_is_nobodys() {
        let serving = serving();
        let _first = serving.begin(None, context(RequestId::new()), Abandoned::default());
        let _second = serving.begin(None, context(RequestId::new()), Abandoned::default());
        assert!(serving.request_id().is_none());
    }

    #[test]
    fn who_computes_for_nobody_ends_and_who_does_for_one_of_two_goes_on() {
        let serving = serving();
        let (one, two) = (Abandoned::default(), Abandoned::default());
        let waiting = [one.unless_answered(), two.unless_answered()];
        let _first = serving.begin(None, CallContext::default(), one);
        let _second = serving.begin(None, CallContext::default(), two);
        let [first, second] = waiting;
        drop(first);
        assert!(serving.pause().is_ok());
        drop(second);
        assert_eq!(
            serving.pause().err().map(|error| error.to_string()).as_deref(),
            Some(ABANDONED)
        );
    }

    #[test]
    fn what_an_earlier_request_may_have_left_is_not_ended_with_an_abandoned_one() {
        let serving = serving();
        drop(serving.begin(None, CallContext::default(), Abandoned::default()));
        let abandoned = Abandoned::default();
        drop(abandoned.unless_answered());
        let served = serving.begin(None, CallContext::default(), abandoned.clone());
        assert!(serving.pause().is_ok(), "the first one's body may be on its way");
        drop(served);
        serving.idle();
        let _served = serving.begin(None, CallContext::default(), abandoned);
        assert!(serving.pause().is_err());
    }

    #[test]
    fn an_instance_is_at_work_until_it_has_nothing_at_all_to_do() {
        let (serving, busy) = (serving(), Busy::default());
        serving.tell(busy.clone());
        let is_at_rest = || busy.rest().now_or_never().is_some();
        drop(serving.begin(None, CallContext::default(), Abandoned::default()));
        assert!(!is_at_rest(), "its body may be on its way");
        let served = serving.begin(None, CallContext::default(), Abandoned::default());
        serving.idle();
        assert!(is_at_rest());
        drop(served);
        let served = serving.begin(None, CallContext::default(), Abandoned::default());
        assert!(!is_at_rest());
        drop((served, serving));
        assert!(is_at_rest(), "it is gone");
    }

    #[test]
    fn who_was_answered_has_not_gone() {
        let (serving, abandoned) = (serving(), Abandoned::default());
        abandoned.unless_answered().answered();
        let _served = serving.begin(None, CallContext::default(), abandoned);
        assert!(serving.pause().is_ok());
    }
}
