//! The host's side of what a middleware was not granted. A call is refused in the gentlest way its
//! type allows: environment and preopened directories are empty (Rust's standard library asks for
//! them unbidden), a function that returns a `result` returns an error, any other traps.

use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Val};

use super::DeniedImport;

/// Interfaces that answer with nothing instead of an error.
const EMPTY: [&str; 2] = ["wasi:cli/environment@", "wasi:filesystem/preopens@"];

/// Error cases without a payload that say "refused" in the interfaces that Ward knows.
const REFUSED_CASES: [&str; 2] = ["access-denied", "HTTP-request-denied"];
/// The error case for anything else, which carries a text.
const OTHER_CASE: &str = "other";

/// Defines every denied import of a composed component in the linker that will instantiate it.
///
/// `denied` is what [`super::middleware`] returned for this component.
pub(crate) fn link_denied<T: 'static>(
    linker: &mut Linker<T>,
    component: &Component,
    denied: &[DeniedImport],
) -> wasmtime::Result<()> {
    let engine = component.engine();
    let mut known = Vec::new();
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let denial = denied.iter().find(|import| import.import == name);
        let mut target = match denial {
            Some(_) => Some(linker.instance(name)?),
            None => None,
        };
        for (name, export) in instance.exports(engine) {
            let own = match &export.ty {
                ComponentItem::Resource(resource) => introduce(&mut known, *resource),
                _ => true,
            };
            if let (Some(target), Some(import), true) = (&mut target, denial, own) {
                deny_item(target, import, name, &export.ty)?;
            }
        }
    }
    Ok(())
}

/// Whether an interface brings a resource type in, rather than using that of an earlier import,
/// which the linker must not define a second time. Imports come in order of their dependencies.
fn introduce(known: &mut Vec<ResourceType>, resource: ResourceType) -> bool {
    let new = !known.contains(&resource);
    if new {
        known.push(resource);
    }
    new
}

fn deny_item<T: 'static>(
    target: &mut LinkerInstance<'_, T>,
    import: &DeniedImport,
    name: &str,
    item: &ComponentItem,
) -> wasmtime::Result<()> {
    match item {
        ComponentItem::ComponentFunc(func) => deny_func(target, import, name, func),
        // A resource of a denied interface never comes into being, so there is nothing to drop.
        ComponentItem::Resource(_) => {
            target.resource(name, ResourceType::host::<Denied>(), |_, _| Ok(()))
        }
        // Types carry no behaviour; components and modules cannot be imported from an interface.
        _ => Ok(()),
    }
}

/// Stands for every resource type of a denied interface.
enum Denied {}

fn deny_func<T: 'static>(
    target: &mut LinkerInstance<'_, T>,
    import: &DeniedImport,
    name: &str,
    func: &ComponentFunc,
) -> wasmtime::Result<()> {
    let answer = answer(&import.interface, func);
    let refusal = format!(
        "`{}` called `{}#{name}`, which `inherit_configuration` does not give it",
        import.layer, import.interface
    );
    let reply = move |results: &mut [Val]| match (&answer, results) {
        (Some(answer), [result]) => {
            *result = answer.clone();
            Ok(())
        }
        _ => Err(wasmtime::Error::msg(refusal.clone())),
    };
    if func.async_() {
        let reply = std::sync::Arc::new(reply);
        target.func_new_concurrent(name, move |_, _, _, results| {
            let reply = reply.clone();
            Box::pin(async move { reply(results) })
        })
    } else {
        target.func_new(name, move |_, _, _, results| reply(results))
    }
}

/// What a denied function returns; `None` where it can only trap.
fn answer(interface: &str, func: &ComponentFunc) -> Option<Val> {
    // A resource or stream handed over would have to be dropped by the host, which cannot be done
    // from here for every kind of store. Nobody gets that far but through a resource he has.
    if !func.params().all(|(_, ty)| is_plain(&ty)) {
        return None;
    }
    let mut results = func.results();
    match (results.next()?, EMPTY.iter().any(|prefix| interface.starts_with(prefix))) {
        (Type::List(_), true) => Some(Val::List(Vec::new())),
        (Type::Option(_), true) => Some(Val::Option(None)),
        (Type::Result(result), _) => {
            let error = match result.err() {
                Some(ty) => Some(Box::new(refusal_value(&ty)?)),
                None => None,
            };
            Some(Val::Result(Err(error)))
        }
        _ => None,
    }
}

fn is_plain(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Bool
            | Type::S8
            | Type::U8
            | Type::S16
            | Type::U16
            | Type::S32
            | Type::U32
            | Type::S64
            | Type::U64
            | Type::String
            | Type::Enum(_)
    )
}

/// An error value of this type that says "refused", if the type has one.
fn refusal_value(ty: &Type) -> Option<Val> {
    match ty {
        Type::String => Some(Val::String(DENIED_TEXT.to_owned())),
        Type::Enum(cases) => cases
            .names()
            .find(|case| REFUSED_CASES.contains(case))
            .map(|case| Val::Enum(case.to_owned())),
        Type::Variant(variant) => variant
            .cases()
            .find(|case| case.ty.is_none() && REFUSED_CASES.contains(&case.name))
            .map(|case| Val::Variant(case.name.to_owned(), None))
            .or_else(|| {
                let text = Box::new(Val::String(DENIED_TEXT.to_owned()));
                variant
                    .cases()
                    .find(|case| case.name == OTHER_CASE && matches!(case.ty, Some(Type::String)))
                    .map(|case| Val::Variant(case.name.to_owned(), Some(text)))
            }),
        _ => None,
    }
}

/// The text in errors that carry one; it reaches the guest.
const DENIED_TEXT: &str = "denied: not in inherit_configuration";
