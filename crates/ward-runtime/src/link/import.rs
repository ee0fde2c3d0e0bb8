//! Satisfies the imports of a component that are live links. The values cross as they are: a
//! caller's arguments are copied once, because wasmtime only lends them, results are moved.

use std::sync::Arc;

use wasmtime::AsContextMut;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, Val};

use super::plan::LiveLink;
use super::refusal;
use crate::call::{CallContext, CallError};
use crate::metrics::{LinkCounts, LinkMetrics};
use crate::state::State;

/// Defines every function of `links` in the linker that will make instances of `component`, which
/// is called `id`.
pub(crate) fn define(
    linker: &mut Linker<State>,
    component: &Component,
    id: &str,
    links: &[LiveLink],
    metrics: &LinkMetrics,
) -> wasmtime::Result<()> {
    let engine = component.engine();
    for link in links {
        let ty = component.component_type();
        let import = ty.get_import(engine, &link.import);
        let Some(ComponentItem::ComponentInstance(interface)) = import.map(|item| item.ty) else {
            continue;
        };
        let mut instance = linker.instance(&link.import)?;
        for (name, item) in interface.exports(engine) {
            if let ComponentItem::ComponentFunc(function) = item.ty {
                let target = LinkedFunction {
                    caller: id.into(),
                    component: link.component.as_str().into(),
                    interface: link.export.clone(),
                    function: name.to_owned(),
                    refusal: refusal::value(&function),
                    counts: metrics.of(id, &link.component, &link.export, name),
                };
                define_function(&mut instance, name, &function, Arc::new(target))?;
            }
        }
    }
    Ok(())
}

fn define_function(
    instance: &mut LinkerInstance<'_, State>,
    name: &str,
    function: &ComponentFunc,
    target: Arc<LinkedFunction>,
) -> wasmtime::Result<()> {
    if function.async_() {
        instance.func_new_concurrent(name, move |accessor, _, arguments, results| {
            let target = target.clone();
            Box::pin(async move {
                let context = accessor.with(|access| context(access));
                target.call(context, arguments, results).await
            })
        })
    } else {
        instance.func_new_async(name, move |store, _, arguments, results| {
            let target = target.clone();
            Box::new(async move {
                let context = context(store);
                target.call(context, arguments, results).await
            })
        })
    }
}

/// On whose behalf the guest calls that is running in this store.
fn context(mut store: impl AsContextMut<Data = State>) -> CallContext {
    let mut store = store.as_context_mut();
    let serving = store.data().serving().clone();
    match store.async_call_stack() {
        Ok(stack) => serving.context(stack),
        Err(_) => CallContext::default(),
    }
}

/// The function at the other end of a link.
struct LinkedFunction {
    caller: Arc<str>,
    component: Arc<str>,
    interface: String,
    function: String,
    /// What the caller reads when there is no answer, if its type can say so.
    refusal: Option<Val>,
    counts: LinkCounts,
}

impl LinkedFunction {
    async fn call(
        &self,
        context: CallContext,
        arguments: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        self.counts.calls.inc();
        let request_id = context.request_id.map(tracing::field::display);
        match (self.attempt(context, arguments).await, results) {
            (Ok(values), results) => {
                for (result, value) in results.iter_mut().zip(values) {
                    *result = value;
                }
                Ok(())
            }
            (Err(error), results) => {
                self.counts.failures.inc();
                let (component, interface) = (&*self.component, &*self.interface);
                let (caller, function) = (&*self.caller, &*self.function);
                tracing::warn!(
                    component, caller, interface, function, request_id, %error,
                    "a linked call failed"
                );
                match (&self.refusal, results) {
                    (Some(refusal), [result]) => {
                        *result = refusal.clone();
                        Ok(())
                    }
                    _ => {
                        let text = format!("the linked component `{component}` did not answer");
                        Err(wasmtime::Error::msg(text))
                    }
                }
            }
        }
    }

    async fn attempt(
        &self,
        context: CallContext,
        arguments: &[Val],
    ) -> Result<Vec<Val>, CallError> {
        let gone = |what: &str| CallError::Instantiate(what.to_owned());
        // That of the request that this is for, whatever was published meanwhile.
        let release = context.release.clone().ok_or_else(|| gone("it is called for no request"))?;
        let callee = release.callee(&self.component).ok_or_else(|| gone("it is not loaded"))?;
        let function = callee.function(&self.interface, &self.function);
        let function = function.ok_or_else(|| gone("the export is gone"))?;
        callee.call(function, arguments.to_vec(), context).await
    }
}
