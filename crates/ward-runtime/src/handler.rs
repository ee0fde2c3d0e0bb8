//! Answers HTTP requests with instances of one component. wasmtime's `ProxyHandler` does the
//! work: it keeps workers, one instance each, and hands them requests. What is decided here is how
//! an instance is made, how long it lives, how many requests it takes, and what a failure is
//! called. Nothing here reads a header or a body.

use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use wasmtime::component::{GuestTaskId, InstancePre};
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, InstantiationError, ProxyHandler, ProxyPre, ShouldAccept,
    TrapOrPanicError, WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::admission::Permit;
use crate::call::CallContext;
use crate::error::{HandleError, LoadError, is_overload};
use crate::exports;
use crate::memory::{Footprint, Idle};
use crate::moving_timer::MovingTimer;
use crate::serving::{ABANDONED, Abandoned, Serving};
use crate::state::{ComponentShared, State};
use crate::underway::Underway;
use crate::whole::{self, Failed};

/// The body of a request or response: frames of bytes, possibly with trailers.
pub type Body = wasmtime_wasi_http::WasiBody;

/// What reading a [`Body`] can fail with.
pub type BodyError = wasmtime_wasi_http::Error;

/// One build of a component, with its middleware, and its warm instances.
pub(crate) struct HttpInstances {
    component: Arc<ComponentShared>,
    proxy: ProxyHandler<Workers>,
}

impl std::fmt::Debug for HttpInstances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpInstances")
            .field("component", &self.component.id)
            .finish_non_exhaustive()
    }
}

impl HttpInstances {
    /// Those of a component, which has to export a handler that takes HTTP requests.
    pub(crate) fn new(
        component: Arc<ComponentShared>,
        pre: InstancePre<State>,
    ) -> Result<Self, LoadError> {
        let export = exports::handler(pre.component(), &component.id)?;
        let pre = export.pre(pre).map_err(|e| LoadError::new(&component.id, format!("{e:#}")))?;
        // A p2 guest may keep anything in its globals between requests and was written in the
        // belief that it cannot; it gets a fresh instance each time, as in Spin.
        let reusable = matches!(pre, ProxyPre::P3(_));
        let workers = Workers { component: component.clone(), pre, reusable };
        Ok(Self { component, proxy: ProxyHandler::new(workers) })
    }

    /// The id of the component that answers.
    pub(crate) fn component(&self) -> &str {
        &self.component.id
    }

    /// The longest a request may take until its response begins.
    pub(crate) fn deadline(&self) -> Duration {
        self.component.settings.deadline
    }

    /// The longest a response's body may go on after its head.
    pub(crate) fn stream_deadline(&self) -> Duration {
        self.component.settings.stream_deadline
    }

    /// As [`crate::HttpHandler::handle`].
    pub(crate) async fn handle(
        &self,
        request: http::Request<Body>,
        context: CallContext,
    ) -> Result<http::Response<Body>, HandleError> {
        let (context, until) = context.within(self.deadline());
        let permit = self.admit(&context, until).await?;
        let worker = Arc::new(OnceLock::new());
        let abandoned = Abandoned::default();
        let waiting = abandoned.unless_answered();
        let ticket = Ticket { until, worker: worker.clone(), context, abandoned, permit };
        // The deadline is held twice. This one answers the caller in time whatever the guest
        // does; the one inside the worker stops it from taking further requests.
        let outcome = tokio::time::timeout_at(until, self.proxy.handle(ticket, request)).await;
        waiting.answered();
        match outcome {
            Ok(Ok(response)) => Ok(response.map(|body| whole::or_error(body, worker))),
            // The worker ends a late request too, and what it calls that differs between p2 and
            // p3. Late is late, whichever of the two came first.
            Ok(Err(error)) if tokio::time::Instant::now() < until => Err(classify(error)),
            Ok(Err(_)) | Err(_) => Err(HandleError::Deadline),
        }
    }

    /// Without a setting of the component's, what the server lets in is what there may be.
    async fn admit(
        &self,
        context: &CallContext,
        until: tokio::time::Instant,
    ) -> Result<Option<Permit>, HandleError> {
        if self.component.settings.concurrent_requests_max.is_none() {
            return Ok(None);
        }
        let permit = self.component.admission.permit(context.peer, until).await;
        permit.map(Some).ok_or(HandleError::Overloaded)
    }

    /// As [`crate::HttpHandler::instantiate`].
    pub(crate) async fn instantiate(&self) -> Result<(), HandleError> {
        let made = self.proxy.state().instantiate().await;
        made.map(drop).map_err(|error| HandleError::Instantiate(format!("{error:#}")))
    }
}

/// What a call that failed in time is called.
fn classify(error: wasmtime::Error) -> HandleError {
    if let Some(failed) = error.downcast_ref::<InstantiationError<Ticket>>() {
        return if is_overload(&failed.error) {
            HandleError::Overloaded
        } else {
            HandleError::Instantiate(format!("{:#}", failed.error))
        };
    }
    if error.is::<TrapOrPanicError>() || error.is::<wasmtime::Trap>() {
        return HandleError::Trapped(root(&error));
    }
    HandleError::Guest(root(&error))
}

/// The first cause alone: a backtrace belongs to the worker's own log line.
fn root(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
}

/// What travels with a request into its worker.
pub(crate) struct Ticket {
    until: tokio::time::Instant,
    /// Filled in by the worker that takes the request.
    worker: Arc<OnceLock<Failed>>,
    context: CallContext,
    abandoned: Abandoned,
    permit: Option<Permit>,
}

/// Makes the instances of one component.
struct Workers {
    component: Arc<ComponentShared>,
    pre: ProxyPre<State>,
    reusable: bool,
}

impl HandlerState for Workers {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let settings = &self.component.settings;
        let mut store = self.component.store()?;
        let made = self.pre.instantiate_async(&mut store);
        let proxy = tokio::time::timeout(settings.deadline, made).await??;
        let (footprint, serving) =
            (store.data().footprint().clone(), store.data().serving().clone());
        footprint.made();
        serving.tell(self.component.busy.clone());
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Expiration::new(self.component.clone(), serving),
            state: Worker {
                component: self.component.clone(),
                failed: Failed::default(),
                underway: Underway::default(),
                footprint,
                requests_max: if self.reusable { settings.instance_reuse_max as usize } else { 1 },
                concurrent_max: settings.instance_concurrency_max as usize,
            },
        })
    }
}

/// What wasmtime says when a worker's task was dropped before its end. It takes that for a panic;
/// on a thread that is not panicking it is the async runtime that stops, with instances idle.
const TASK_GONE: &str = "worker panicked";

/// One instance's rules.
pub(crate) struct Worker {
    component: Arc<ComponentShared>,
    failed: Failed,
    underway: Underway,
    footprint: Arc<Footprint>,
    requests_max: usize,
    concurrent_max: usize,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = Ticket;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        // An instance with a late request is about to be ended, and whoever joins it with it.
        let spent = total >= self.requests_max || self.footprint.has_outgrown();
        if spent || self.underway.is_late() {
            ShouldAccept::Never
        } else if concurrent >= self.concurrent_max {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, State>,
        ticket: Ticket,
        task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        ticket.worker.get_or_init(|| self.failed.clone());
        let turn = self.underway.begin(ticket.until);
        let permit = ticket.permit.map(|permit| permit.for_work(ticket.abandoned.clone()));
        let served = store.data().serving().begin(Some(task), ticket.context, ticket.abandoned);
        store.set_epoch_deadline(served.first_tick());
        // The future is dropped when the request ends, and what it holds with it.
        Box::pin(async move {
            turn.late().await;
            drop((served, permit));
        })
    }

    fn drop(&self, store: Store<State>, result: wasmtime::Result<()>) {
        // Said before the store goes: its end is what ends the bodies that were still coming.
        self.failed.set(result.is_err());
        drop(store);
        let Err(error) = result else { return };
        let (component, cause) = (&*self.component.id, root(&error));
        if cause == TASK_GONE && !std::thread::panicking() {
            tracing::debug!(component, "an instance went with the process that is stopping");
            return;
        }
        if cause == ABANDONED {
            tracing::debug!(component, "an instance was ended that computed for nobody");
            return;
        }
        tracing::error!(component, cause, "an instance ended");
        tracing::debug!(component, "{error:?}");
    }
}

/// Wakes the worker of an instance, which then sees whether it is to go.
#[derive(Default)]
struct Bell(AtomicWaker);

impl Idle for Bell {
    fn let_go(&self) {
        self.0.wake();
    }

    fn look(&self) {
        self.0.wake();
    }
}

/// Ends an instance that has been idle for long, or busy for longer than any deadline allows: with
/// requests that wait for a response, or with what goes on after the last response began. One
/// timer serves all, which looks whether the end has come once an idle interval. One that is idle
/// goes at once where its memory is needed, or nobody can have use for it any more.
pub(crate) struct Expiration {
    component: Arc<ComponentShared>,
    bell: Arc<Bell>,
    timer: MovingTimer,
    serving: Serving,
}

impl Expiration {
    fn new(component: Arc<ComponentShared>, serving: Serving) -> Self {
        let bell: Arc<Bell> = Arc::default();
        let idle: Weak<Bell> = Arc::downgrade(&bell);
        component.memory.register(idle);
        let timer = MovingTimer::new(component.settings.instance_idle);
        Self { component, bell, timer, serving }
    }

    fn limit(&self, status: WorkerStatus) -> Duration {
        let settings = &self.component.settings;
        match status {
            WorkerStatus::Idle => settings.instance_idle,
            WorkerStatus::Requests => settings.deadline,
            WorkerStatus::PostReturn => settings.stream_deadline,
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        // The worker asks this whenever it has nothing to do for the moment.
        self.serving.hand_back();
        if status == WorkerStatus::Idle {
            self.serving.idle();
            // In this order: who comes to want it in between wakes the worker.
            self.bell.0.register(cx.waker());
            if self.component.memory.is_wanted() || self.component.is_retired() {
                return Poll::Ready(());
            }
        }
        let end = start + self.limit(status);
        self.timer.poll(cx, end.into())
    }
}
