//! One instance and the event loop that it lives in, as a future which whoever has the worker
//! drives: the caller for as long as a call does not wait, a task of its own after that. An
//! instance is in one call at a time; one that fails takes nothing but that call with it.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use wasmtime::component::{Accessor, ComponentExportIndex, Instance, Val};
use wasmtime::{AsContextMut, Store};

use super::CallContext;
use crate::memory::Footprint;
use crate::serving::{Abandoned, Serving};
use crate::state::State;

/// One call, on its way into an instance.
pub(super) struct Invocation {
    pub(super) function: ComponentExportIndex,
    pub(super) arguments: Vec<Val>,
    /// How many results the function has.
    pub(super) results: usize,
    pub(super) context: CallContext,
}

/// An instance that takes calls.
pub(super) struct Worker {
    /// Ends with the instance, and says what of.
    life: Pin<Box<dyn Future<Output = wasmtime::Error> + Send>>,
    mailbox: Arc<Mailbox>,
    footprint: Arc<Footprint>,
    serving: Serving,
    calls: u32,
}

/// How far an instance has come.
pub(super) struct Progress {
    /// What the call returned, the first time that this is known.
    pub(super) results: Option<Vec<Val>>,
    /// Whether the guest has nothing left to do.
    pub(super) idle: bool,
}

impl Worker {
    /// Opens the event loop of an instance. This must not happen while another store's is polled:
    /// wasmtime 48 refuses to begin one loop inside another, though it lets one that has begun go
    /// on there, and sees no harm in it where the stores are two (its pull request 14302).
    pub(super) fn open(mut store: Store<State>, instance: Instance) -> wasmtime::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let (serving, footprint) =
            (store.data().serving().clone(), store.data().footprint().clone());
        let life = {
            let (mailbox, serving) = (mailbox.clone(), serving.clone());
            async move {
                let work = async move |accessor: &Accessor<State>| {
                    mailbox.serve(accessor, instance, &serving).await
                };
                store.run_concurrent(work).await.unwrap_or_else(|error| error)
            }
        };
        // A panic is the end of one instance; its caller, who may drive it, is another.
        let life = AssertUnwindSafe(life)
            .catch_unwind()
            .map(|end| end.unwrap_or_else(|_| wasmtime::Error::msg("the host panicked inside it")));
        let mut worker = Self { life: Box::pin(life), mailbox, footprint, serving, calls: 0 };
        worker.advance(&mut Context::from_waker(Waker::noop()))?;
        Ok(worker)
    }

    /// Puts a call before the instance, which begins when it is driven next.
    pub(super) fn give(&mut self, invocation: Invocation) {
        self.calls = self.calls.saturating_add(1);
        let mut mail = self.mailbox.lock();
        mail.next = Some(invocation);
        mail.busy = true;
    }

    /// How many calls it has been given.
    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    /// Whether it has become too large to be kept.
    pub(super) fn has_outgrown(&self) -> bool {
        self.footprint.has_outgrown()
    }

    /// Drives the instance as far as it goes without waiting. The error is the instance's end.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> wasmtime::Result<Progress> {
        if let Poll::Ready(error) = self.life.as_mut().poll(cx) {
            return Err(error);
        }
        self.serving.hand_back();
        let mut mail = self.mailbox.lock();
        Ok(Progress { results: mail.results.take(), idle: !mail.busy })
    }
}

/// What passes between the inside of an instance's event loop and the outside.
#[derive(Default)]
struct Mailbox(Mutex<Mail>);

#[derive(Default)]
struct Mail {
    next: Option<Invocation>,
    results: Option<Vec<Val>>,
    busy: bool,
}

impl Mailbox {
    /// Takes one call after the other, inside the event loop; returns what ended it.
    async fn serve(
        &self,
        accessor: &Accessor<State>,
        instance: Instance,
        serving: &Serving,
    ) -> wasmtime::Error {
        loop {
            let Invocation { function, arguments, results, context } =
                poll_fn(|_| self.next()).await;
            let served = serving.begin(None, context, Abandoned::default());
            let first_tick = served.first_tick();
            match call(accessor, instance, (function, first_tick), &arguments, results).await {
                Ok(results) => self.lock().results = Some(results),
                Err(error) => return error,
            }
            drop(served);
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            serving.idle();
            self.lock().busy = false;
        }
    }

    /// The next call. Nobody has to be woken for it: who puts one there drives the instance.
    fn next(&self) -> Poll<Invocation> {
        self.lock().next.take().map_or(Poll::Pending, Poll::Ready)
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn call(
    accessor: &Accessor<State>,
    instance: Instance,
    (function, first_tick): (ComponentExportIndex, u64),
    arguments: &[Val],
    results: usize,
) -> wasmtime::Result<Vec<Val>> {
    let found = accessor.with(|mut access| {
        access.as_context_mut().set_epoch_deadline(first_tick);
        instance.get_func(&mut access, function)
    });
    let function = found.ok_or_else(|| wasmtime::Error::msg("the export is gone"))?;
    let mut results = vec![Val::Bool(false); results];
    function.call_concurrent(accessor, arguments, &mut results).await?;
    Ok(results)
}
