//! On whose behalf an instance works at the moment. A link that is called from inside an instance
//! learns here how much time is left and which request it belongs to; the component itself can
//! neither see nor change it.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::UpdateDeadline;
use wasmtime::component::GuestTaskId;

use crate::call::CallContext;
use crate::request_id::RequestId;
use crate::scheduler::{Computation, Peer};

/// What one instance is serving: several requests at once over HTTP, one call otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    entries: Arc<Mutex<Vec<Entry>>>,
    computation: Arc<Computation>,
}

#[derive(Debug)]
struct Entry {
    /// The guest's task, where several are served at once and have to be told apart.
    task: Option<GuestTaskId>,
    context: CallContext,
}

impl Serving {
    /// Nothing yet. `computation` is the instance's.
    pub(crate) fn new(computation: Arc<Computation>) -> Self {
        Self { entries: Arc::default(), computation }
    }

    /// Notes that `context` is being served, until what is returned is dropped.
    pub(crate) fn begin(&self, task: Option<GuestTaskId>, context: CallContext) -> Served {
        self.computation.begin();
        self.lock().push(Entry { task, context });
        Served { serving: self.clone(), task }
    }

    /// What the guest code is doing that has this stack of tasks. `None` for work that nobody waits
    /// for any more.
    pub(crate) fn context(
        &self,
        mut stack: impl Iterator<Item = GuestTaskId>,
    ) -> Option<CallContext> {
        let entries = self.lock();
        if let [Entry { task: None, context }] = entries.as_slice() {
            return Some(context.clone());
        }
        let entry = stack.find_map(|task| entries.iter().find(|e| e.task == Some(task)));
        entry.map(|entry| entry.context.clone())
    }

    /// The request id of the one that is being served; `None` where there are several, since a
    /// line that a guest prints does not say which it belongs to.
    pub(crate) fn request_id(&self) -> Option<RequestId> {
        match self.lock().as_slice() {
            [only] => only.context.request_id,
            _ => None,
        }
    }

    /// The clock has ticked while the instance computed: what it is to do.
    pub(crate) fn pause(&self) -> UpdateDeadline {
        let peers: Vec<Peer> = self.lock().iter().map(|entry| entry.context.peer).collect();
        self.computation.pause(peers.into_iter())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what [`Serving::begin`] began.
pub(crate) struct Served {
    serving: Serving,
    task: Option<GuestTaskId>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let mut entries = self.serving.lock();
        if let Some(at) = entries.iter().position(|entry| entry.task == self.task) {
            entries.swap_remove(at);
        }
        if entries.is_empty() {
            self.serving.computation.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::Scheduler;

    fn context(id: RequestId) -> CallContext {
        CallContext { request_id: Some(id), ..CallContext::default() }
    }

    #[test]
    fn one_call_is_known_without_a_task_and_forgotten_at_its_end() {
        let (serving, id) = (Serving::new(Scheduler::new().computation()), RequestId::new());
        assert!(serving.request_id().is_none());
        let served = serving.begin(None, context(id));
        assert_eq!(serving.request_id(), Some(id));
        let found = serving.context(std::iter::empty()).unwrap();
        assert_eq!(found.request_id, Some(id));
        drop(served);
        assert!(serving.context(std::iter::empty()).is_none());
    }

    #[test]
    fn a_line_of_one_of_several_is_nobodys() {
        let serving = Serving::new(Scheduler::new().computation());
        let _first = serving.begin(None, context(RequestId::new()));
        let _second = serving.begin(None, context(RequestId::new()));
        assert!(serving.request_id().is_none());
    }
}
