//! One warm instance and the task it lives on: takes a call, runs it, answers, finishes what the
//! guest still has to do, waits for the next. A call that traps or comes to its deadline ends the
//! instance, and with it nothing but that call, since there is never another in it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};
use wasmtime::component::{Accessor, ComponentExportIndex, Instance, Val};

use super::{CallContext, CallError, Callee};
use crate::alarm::Alarm;
use crate::serving::Serving;
use crate::state::State;

/// One call, on its way to an instance.
pub(super) struct Job {
    pub(super) function: ComponentExportIndex,
    pub(super) arguments: Vec<Val>,
    /// How many results the function has.
    pub(super) results: usize,
    pub(super) until: Instant,
    pub(super) context: CallContext,
    pub(super) reply: Reply,
    pub(super) permit: OwnedSemaphorePermit,
}

type Reply = oneshot::Sender<Result<Vec<Val>, CallError>>;

/// Makes an instance for `first` and keeps it for the calls that follow, until it has taken its
/// share, has been idle for long, or has failed.
pub(super) async fn run(callee: Arc<Callee>, first: Job) {
    let (mut store, instance) = match timeout_at(first.until, callee.instantiate()).await {
        Ok(Ok(made)) => made,
        Ok(Err(error)) => return drop(first.reply.send(Err(error))),
        Err(_) => return drop(first.reply.send(Err(CallError::Deadline))),
    };
    let alarm = Alarm::new(callee.component.settings.instance_idle);
    let seat = Seat {
        desk: Desk::new(callee.component.settings.deadline),
        serving: store.data().serving().clone(),
        callee,
        instance,
    };
    let outcome = {
        let seat = &seat;
        let working = store.run_concurrent(async move |accessor| seat.work(accessor, first).await);
        attend(pin!(working), &seat.desk, alarm).await
    };
    if let Err(error) = outcome {
        seat.fail(error);
    }
}

/// Drives the instance, and looks at its end from outside its event loop: inside, nobody is asked
/// while the guest computes or waits in a way that holds the store.
async fn attend(
    mut working: Pin<&mut impl Future<Output = wasmtime::Result<wasmtime::Result<()>>>>,
    desk: &Desk,
    mut alarm: Alarm,
) -> Result<(), End> {
    poll_fn(|cx| {
        // A guest that computes without end would otherwise have one more turn, and with many of
        // them the last one's turn comes late.
        if desk.is_late() {
            return Poll::Ready(Err(End::Late));
        }
        loop {
            if let Poll::Ready(outcome) = working.as_mut().poll(cx) {
                return Poll::Ready(outcome.flatten().map_err(End::Failed));
            }
            if alarm.poll(cx, desk.until()).is_pending() {
                return Poll::Pending;
            }
            // An idle instance may have been given a call just now; it is looked at once more.
            if !desk.close() {
                return Poll::Ready(Err(End::Late));
            }
        }
    })
    .await
}

/// How an instance ended that should not have.
enum End {
    Late,
    Failed(wasmtime::Error),
}

/// What an instance needs beside its store.
struct Seat {
    callee: Arc<Callee>,
    instance: Instance,
    desk: Desk,
    serving: Serving,
}

impl Seat {
    /// Takes one call after the other, inside the instance's event loop.
    async fn work(&self, accessor: &Accessor<State>, first: Job) -> wasmtime::Result<()> {
        let calls_max = self.callee.component.settings.instance_reuse_max;
        let mut next = Some(first);
        let mut calls = 0;
        while let Some(job) = next {
            let Job { function, arguments, results, until, context, reply, permit } = job;
            let request_id = context.request_id.clone();
            let served = self.serving.begin(None, context);
            self.desk.put(At::Call(Call { until, request_id, reply, _permit: permit }));
            let results = self.call(accessor, function, &arguments, results).await?;
            drop(served);
            calls += 1;
            next = self.finish(accessor, results, calls >= calls_max).await;
        }
        Ok(())
    }

    async fn call(
        &self,
        accessor: &Accessor<State>,
        function: ComponentExportIndex,
        arguments: &[Val],
        results: usize,
    ) -> wasmtime::Result<Vec<Val>> {
        let found = accessor.with(|mut access| self.instance.get_func(&mut access, function));
        let function = found.ok_or_else(|| wasmtime::Error::msg("the export is gone"))?;
        let mut results = vec![Val::Bool(false); results];
        function.call_concurrent(accessor, arguments, &mut results).await?;
        Ok(results)
    }

    /// Answers, and waits for the next call. The instance is back among the idle ones before the
    /// answer goes out, so that a caller who calls again at once finds it there; but not while the
    /// guest has something left to do.
    async fn finish(
        &self,
        accessor: &Accessor<State>,
        results: Vec<Val>,
        last: bool,
    ) -> Option<Job> {
        let quiet = poll_fn(|cx| Poll::Ready(accessor.poll_no_interesting_tasks(cx))).await;
        if quiet.is_ready() && !last {
            self.idle().answer(Ok(results));
        } else {
            self.desk.rest().answer(Ok(results));
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            if last {
                return None;
            }
            self.idle();
        }
        poll_fn(|cx| self.desk.poll_next(cx)).await
    }

    fn idle(&self) -> At {
        let until = Instant::now() + self.callee.component.settings.instance_idle;
        self.desk.put(At::Idle { until, next: self.callee.pool.wait() })
    }

    /// Says what happened to whoever waits, and to the log.
    fn fail(&self, end: End) {
        let component = &*self.callee.component.id;
        let at = self.desk.rest();
        let request_id = at.request_id();
        match end {
            End::Late => {
                tracing::warn!(component, %request_id, "an instance was ended at its deadline");
                at.answer(Err(CallError::Deadline));
            }
            End::Failed(error) => {
                // The first cause alone: a backtrace is for the one who looks for it.
                let cause = error.root_cause().to_string();
                tracing::error!(component, %request_id, cause, "an instance ended");
                tracing::debug!(component, "{error:?}");
                at.answer(Err(CallError::Trapped(cause)));
            }
        }
    }
}

/// What an instance is at, as it can be seen from outside its event loop.
struct Desk {
    at: Mutex<At>,
    /// How long a guest may go on with what nobody waits for.
    rest: Duration,
}

enum At {
    /// In a call.
    Call(Call),
    /// Finishing what the guest has left to do.
    Rest { until: Instant },
    /// Waiting for a call.
    Idle { until: Instant, next: oneshot::Receiver<Job> },
}

struct Call {
    until: Instant,
    request_id: Arc<str>,
    reply: Reply,
    _permit: OwnedSemaphorePermit,
}

impl At {
    /// The request that a call belongs to; empty for none.
    fn request_id(&self) -> Arc<str> {
        match self {
            Self::Call(call) => call.request_id.clone(),
            Self::Rest { .. } | Self::Idle { .. } => Arc::default(),
        }
    }

    /// Answers the call, if it is one that somebody waits for.
    fn answer(self, answer: Result<Vec<Val>, CallError>) {
        if let Self::Call(call) = self {
            // Nobody is there any more where the caller has come to an end.
            let _ = call.reply.send(answer);
        }
    }
}

impl Desk {
    fn new(rest: Duration) -> Self {
        Self { at: Mutex::new(At::Rest { until: Instant::now() + rest }), rest }
    }

    /// Notes what comes now, and returns what was.
    fn put(&self, at: At) -> At {
        std::mem::replace(&mut *self.lock(), at)
    }

    fn rest(&self) -> At {
        self.put(At::Rest { until: Instant::now() + self.rest })
    }

    fn until(&self) -> Instant {
        match &*self.lock() {
            At::Call(Call { until, .. }) | At::Rest { until } | At::Idle { until, .. } => *until,
        }
    }

    /// Whether a call has come to its end and is still going on.
    fn is_late(&self) -> bool {
        matches!(&*self.lock(), At::Call(Call { until, .. }) if *until <= Instant::now())
    }

    /// Takes no further call where none is there. `false` where the instance is not idle but late.
    fn close(&self) -> bool {
        let mut at = self.lock();
        let At::Idle { until, next } = &mut *at else { return false };
        next.close();
        *until = Instant::now() + self.rest;
        true
    }

    /// The next call; `None` when there will be none.
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Job>> {
        match &mut *self.lock() {
            At::Idle { next, .. } => Pin::new(next).poll(cx).map(Result::ok),
            At::Call(_) | At::Rest { .. } => Poll::Ready(None),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
