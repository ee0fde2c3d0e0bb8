//! One revision of a component, as something that can be called: what it exports, how an instance
//! of it is made, and the instances that are warm.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use tokio::time::{Instant, sleep_until, timeout};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Val};

use super::pool::Pool;
use super::worker::{Invocation, Worker};
use super::{CallContext, CallError, invoke};
use crate::error::is_overload;
use crate::memory::Idle;
use crate::state::{ComponentShared, State};

/// Interfaces that are called in another way, or by nobody.
const NOT_CALLED: &str = "wasi:";

/// A component that can be called.
pub(crate) struct Callee {
    pub(super) component: Arc<ComponentShared>,
    pub(super) revision: Arc<str>,
    pool: Pool,
    pre: InstancePre<State>,
    /// Interface, with its version, to its functions.
    exports: HashMap<String, HashMap<String, Exported>>,
}

impl std::fmt::Debug for Callee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callee").field("component", &self.component.id).finish_non_exhaustive()
    }
}

/// An exported function.
pub(crate) struct Exported {
    pub(crate) ty: ComponentFunc,
    index: ComponentExportIndex,
}

impl Callee {
    /// The component that `pre` makes instances of, and which build of it that is.
    pub(crate) fn new(
        component: Arc<ComponentShared>,
        pre: InstancePre<State>,
        revision: Arc<str>,
    ) -> Arc<Self> {
        let exports = exports(pre.component());
        let callee = Arc::new(Self { component, revision, pool: Pool::default(), pre, exports });
        let idle: Weak<Self> = Arc::downgrade(&callee);
        callee.component.memory.register(idle);
        callee
    }

    /// The component's id.
    pub(crate) fn id(&self) -> &str {
        &self.component.id
    }

    /// No release has it any more.
    pub(crate) fn retire(&self) {
        self.component.retire();
    }

    /// Where its guests' `/` is, if they have files.
    pub(crate) fn files(&self) -> Option<&PathBuf> {
        self.component.files.as_ref()
    }

    /// The compiled component.
    pub(crate) fn compiled(&self) -> &Component {
        self.pre.component()
    }

    /// The name, with its version, of an exported interface that is named with it or without.
    pub(crate) fn interface(&self, name: &str) -> Option<&str> {
        let mut names = self.exports.keys().map(String::as_str);
        if self.exports.contains_key(name) {
            return names.find(|exported| *exported == name);
        }
        let unversioned = |exported: &&str| exported.split_once('@').map(|(n, _)| n) == Some(name);
        let mut matching = names.filter(unversioned);
        matching.next().filter(|_| matching.next().is_none())
    }

    /// An exported function; `interface` is written as the component writes it.
    pub(crate) fn function(&self, interface: &str, name: &str) -> Option<&Exported> {
        self.exports.get(interface)?.get(name)
    }

    /// Calls `function` with arguments of its types, and waits for its results. The call goes on to
    /// its end, or to the deadline, whether somebody waits for it or not.
    pub(crate) async fn call(
        self: &Arc<Self>,
        function: &Exported,
        arguments: Vec<Val>,
        context: CallContext,
    ) -> Result<Vec<Val>, CallError> {
        let (context, until) = context.within(self.component.settings.deadline);
        if until <= Instant::now() {
            return Err(CallError::Deadline);
        }
        let permit = self.component.admission.permit(context.peer, until).await;
        let permit = permit.ok_or(CallError::Overloaded)?;
        let (function, results) = (function.index, function.ty.results().len());
        let invocation = Invocation { function, arguments, results, context };
        invoke::run(self, invocation, (until, permit)).await
    }

    /// Has an instance ready for the first call, if there is anything to call.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Result<(), CallError> {
        if !self.exports.is_empty() {
            let made = timeout(self.component.settings.deadline, self.make()).await;
            self.park(made.unwrap_or(Err(CallError::Deadline))?);
        }
        Ok(())
    }

    /// A warm instance, if there is one.
    pub(super) fn take(&self) -> Option<Worker> {
        self.pool.take()
    }

    /// Makes an instance.
    pub(super) async fn make(&self) -> Result<Worker, CallError> {
        let failed = |error: wasmtime::Error| match is_overload(&error) {
            true => CallError::Overloaded,
            false => CallError::Instantiate(error.root_cause().to_string()),
        };
        let mut store = self.component.store().map_err(failed)?;
        let instance = self.pre.instantiate_async(&mut store).await.map_err(failed)?;
        store.data().footprint().made();
        Worker::open(store, instance).map_err(failed)
    }

    /// Keeps an instance that has done its work for the next call, unless it has had its share or
    /// has grown large:
    /// that one is returned, to be ended when nobody waits any more. Not on another thread, which
    /// would have this one's processor interrupted for each page that both may know of: that costs
    /// ten times what the end itself does.
    pub(super) fn give_back(self: &Arc<Self>, worker: Worker) -> Option<Worker> {
        if self.is_spent(&worker) {
            Some(worker)
        } else {
            self.park(worker);
            if self.component.memory.is_wanted() {
                self.let_go();
            }
            None
        }
    }

    fn is_spent(&self, worker: &Worker) -> bool {
        worker.calls() >= self.component.settings.instance_reuse_max || worker.has_outgrown()
    }

    fn park(self: &Arc<Self>, worker: Worker) {
        let until = Instant::now() + self.component.settings.instance_idle;
        if self.pool.park(worker, until) {
            tokio::spawn(watch(Arc::downgrade(self), until));
        }
    }
}

impl Idle for Callee {
    fn let_go(&self) {
        self.pool.clear();
    }
}

/// Ends the instances that have been idle for long, for as long as there are any. One timer serves
/// them all: to arm one for each call would cost more than a short call does.
async fn watch(callee: Weak<Callee>, first: Instant) {
    let mut next = Some(first);
    while let Some(until) = next {
        sleep_until(until).await;
        next = callee.upgrade().and_then(|callee| callee.pool.expire(Instant::now()));
    }
}

fn exports(component: &Component) -> HashMap<String, HashMap<String, Exported>> {
    let engine = component.engine();
    let mut exports = HashMap::new();
    for (interface, item) in component.component_type().exports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let Some(at) = component.get_export_index(None, interface) else { continue };
        if interface.starts_with(NOT_CALLED) {
            continue;
        }
        let functions = instance.exports(engine).filter_map(|(name, export)| match export.ty {
            ComponentItem::ComponentFunc(ty) => {
                let index = component.get_export_index(Some(&at), name)?;
                Some((name.to_owned(), Exported { ty, index }))
            }
            _ => None,
        });
        exports.insert(interface.to_owned(), functions.collect());
    }
    exports
}
