//! Makes one component of several: puts HTTP middleware around a component, and dependencies that
//! are no live links into it. Bytes in, bytes out, as Spin 4.1 does it. No I/O, no engine; the
//! result is the same for the same input, because it is cached by its content. What a part may not
//! use is kept from it by renaming that import before the composition ([`rename`]), so the name
//! reaches the host alone and [`deny`] answers it.

mod deny;
mod dependencies;
mod rename;
mod sets;
#[cfg(test)]
mod tests;

use wac_graph::types::{ItemKind, Package};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};
use ward_manifest::Inherit;

pub(crate) use deny::link_denied;
pub(crate) use dependencies::{Part, dependencies};

/// The interface a chain is made of. Spin matches it by this exact name, so a component on p2 or
/// on a release candidate of p3 has no middleware, here as there.
const HANDLER: &str = "wasi:http/handler@0.3.0";
/// Its one function.
const HANDLER_FUNCTION: &str = "handle";

/// One middleware of a chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer<'a> {
    /// How messages call it.
    pub(crate) name: &'a str,
    /// The component's bytes.
    pub(crate) bytes: &'a [u8],
    /// Which of the primary's grants it shares.
    pub(crate) inherit: &'a Inherit,
}

/// A composed component, and what the host owes it beyond the ordinary imports.
#[derive(Debug, Clone)]
pub(crate) struct Composed {
    /// The component; it exports what the primary exports.
    pub(crate) bytes: Vec<u8>,
    /// Imports that [`link_denied`] has to satisfy before instantiation.
    pub(crate) denied: Vec<DeniedImport>,
}

/// An import that a layer has but was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeniedImport {
    /// The layer that has it.
    pub(crate) layer: String,
    /// The import as the layer was built, such as `spin:variables/variables@3.0.0`.
    pub(crate) interface: String,
    /// Its name in the composed component.
    pub(crate) import: String,
}

/// Why components cannot be composed. The texts are for whoever starts the application.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    /// The bytes are not a valid component.
    #[error("{name} is not a valid component: {reason}")]
    Invalid {
        /// The component.
        name: String,
        /// What the parser says.
        reason: String,
    },
    /// A component that should answer requests does not.
    #[error(
        "{name} does not export `{HANDLER}`, which middleware and what it wraps must export \
         (a component built for WASI 0.2 cannot have middleware)"
    )]
    NoExport {
        /// The component.
        name: String,
    },
    /// A middleware has no way to hand a request on.
    #[error(
        "{name} does not import `{HANDLER}`, so it could not hand a request on \
         (with spin-sdk: feature `http-middleware`, `spin_sdk::http::next`)"
    )]
    NoImport {
        /// The middleware.
        name: String,
    },
    /// A dependency does not export what it is there for.
    #[error("{name} does not export `{export}`")]
    Missing {
        /// The dependency.
        name: String,
        /// The interface it should have.
        export: String,
    },
    /// Two components disagree about an interface they share.
    #[error("{name} does not fit to the others it is composed with: {reason}")]
    Mismatch {
        /// The component that was being added, or the primary for the composition as a whole.
        name: String,
        /// What the composer says.
        reason: String,
    },
}

/// Wraps `primary`, called `id` in messages, into `chain`, whose first layer is the outermost. What
/// the primary exports beside its handler is exported as it is: middleware is about HTTP.
///
/// A layer that imports one of `links` does not get it: those are the primary's. An empty chain
/// gives the primary back unchanged.
pub(crate) fn middleware(
    id: &str,
    primary: &[u8],
    chain: &[Layer<'_>],
    links: &[&str],
) -> Result<Composed, ComposeError> {
    if chain.is_empty() {
        return Ok(Composed { bytes: primary.to_vec(), denied: Vec::new() });
    }
    let primary_name = format!("component `{id}`");
    let mut graph = CompositionGraph::new();
    let mut denied = Vec::new();
    let (inner, mut handler) = add(&mut graph, &primary_name, "primary", primary.to_vec())?;
    for (position, layer) in chain.iter().enumerate().rev() {
        let name = format!("middleware `{}`", layer.name);
        let renamed = rename::imports(layer.bytes, |interface| {
            let denied = sets::is_denied(interface, layer.inherit) || links.contains(&interface);
            denied.then(|| denied_name("layer", position, interface))
        })
        .map_err(|reason| invalid(&name, reason))?;
        denied.extend(renamed.changed.into_iter().map(|(interface, import)| DeniedImport {
            layer: layer.name.to_owned(),
            interface,
            import,
        }));
        let key = format!("layer{position}");
        let (instance, export) = add(&mut graph, &name, &key, renamed.bytes)?;
        if !imports_handler(&graph, instance) {
            return Err(ComposeError::NoImport { name });
        }
        graph
            .set_instantiation_argument(instance, HANDLER, handler)
            .map_err(|reason| mismatch(&name, &reason))?;
        handler = export;
    }
    graph.export(handler, HANDLER).map_err(|reason| mismatch(&primary_name, &reason))?;
    export_all(&mut graph, inner, &primary_name, |name| name != HANDLER)?;
    let bytes = graph
        .encode(EncodeOptions::default())
        .map_err(|reason| mismatch(&primary_name, &reason))?;
    Ok(Composed { bytes, denied })
}

/// Instantiates one component in the graph: its instance and its exported handler.
fn add(
    graph: &mut CompositionGraph,
    name: &str,
    key: &str,
    bytes: Vec<u8>,
) -> Result<(NodeId, NodeId), ComposeError> {
    let package = Package::from_bytes(key, None, bytes, graph.types_mut())
        .map_err(|reason| invalid(name, reason))?;
    if !graph.types()[package.ty()].exports.contains_key(HANDLER) {
        return Err(ComposeError::NoExport { name: name.to_owned() });
    }
    let package = graph.register_package(package).map_err(|reason| mismatch(name, &reason))?;
    let instance = graph.instantiate(package);
    let handler =
        graph.alias_instance_export(instance, HANDLER).map_err(|reason| mismatch(name, &reason))?;
    Ok((instance, handler))
}

/// Exports what an instance exports, where `wanted` says so.
fn export_all(
    graph: &mut CompositionGraph,
    instance: NodeId,
    name: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), ComposeError> {
    let Some(package) = graph[instance].package() else { return Ok(()) };
    let exports = graph.types()[graph[package].ty()].exports.keys();
    let exports: Vec<String> = exports.filter(|export| wanted(export)).cloned().collect();
    for export in exports {
        let node = graph
            .alias_instance_export(instance, &export)
            .map_err(|reason| mismatch(name, &reason))?;
        graph.export(node, &export).map_err(|reason| mismatch(name, &reason))?;
    }
    Ok(())
}

/// Whether a component can call the next handler. The import alone says little: a guest that
/// shares its build with a middleware has it too (cargo unifies spin-sdk's features), then with
/// types in it and no function, which asks nothing of anybody.
fn imports_handler(graph: &CompositionGraph, instance: NodeId) -> bool {
    let Some(package) = graph[instance].package() else { return false };
    match graph.types()[graph[package].ty()].imports.get(HANDLER) {
        Some(ItemKind::Instance(interface)) => {
            graph.types()[*interface].exports.contains_key(HANDLER_FUNCTION)
        }
        _ => false,
    }
}

/// The name a denied import gets: an interface name again (`implements` labels are not in wasmtime
/// 48), unique to the part, in a namespace that no real package has.
fn denied_name(kind: &str, position: usize, interface: &str) -> String {
    let flat = interface.replacen(':', "-", 1);
    format!("ward-denied-{kind}{position}:{flat}")
}

fn invalid(name: &str, reason: impl std::fmt::Display) -> ComposeError {
    ComposeError::Invalid { name: name.to_owned(), reason: format!("{reason:#}") }
}

/// The composer's errors keep the telling part in their sources, so the whole chain is printed.
fn mismatch(name: &str, reason: &dyn std::error::Error) -> ComposeError {
    let mut text = reason.to_string();
    let mut source = reason.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    ComposeError::Mismatch { name: name.to_owned(), reason: text }
}
