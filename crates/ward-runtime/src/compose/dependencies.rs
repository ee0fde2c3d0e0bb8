//! Puts the dependencies of a component into it: one instance for each entry of the manifest, its
//! exports for the component's imports. What it may use of the component's grants is what
//! `inherit_configuration` says; anything else that carries a grant is denied.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};
use ward_manifest::Inherit;

use super::{ComposeError, Composed, DeniedImport};
use super::{denied_name, export_all, invalid, mismatch, rename, sets};

/// One dependency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    /// How messages call it.
    pub(crate) name: &'a str,
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
    /// Which of the primary's grants it shares.
    pub(crate) inherit: &'a Inherit,
    /// Imports of the primary, each with the export that satisfies it.
    pub(crate) imports: &'a [(String, String)],
}

/// Composes `parts` into `primary`, called `id` in messages.
///
/// Without parts the primary comes back unchanged.
pub(crate) fn dependencies(
    id: &str,
    primary: &[u8],
    parts: &[Part<'_>],
) -> Result<Composed, ComposeError> {
    if parts.is_empty() {
        return Ok(Composed { bytes: primary.to_vec(), denied: Vec::new() });
    }
    let primary_name = format!("component `{id}`");
    let mut graph = CompositionGraph::new();
    let mut denied = Vec::new();
    let package = Package::from_bytes("primary", None, primary.to_vec(), graph.types_mut())
        .map_err(|reason| invalid(&primary_name, reason))?;
    let package =
        graph.register_package(package).map_err(|reason| mismatch(&primary_name, &reason))?;
    let main = graph.instantiate(package);
    for (position, part) in parts.iter().enumerate() {
        let name = format!("dependency `{}`", part.name);
        let renamed = rename::imports(part.bytes, |interface| {
            let denied = sets::is_denied(interface, part.inherit);
            denied.then(|| denied_name("dependency", position, interface))
        })
        .map_err(|reason| invalid(&name, reason))?;
        denied.extend(renamed.changed.into_iter().map(|(interface, import)| DeniedImport {
            layer: part.name.to_owned(),
            interface,
            import,
        }));
        let key = format!("dependency{position}");
        let package = Package::from_bytes(&key, None, renamed.bytes, graph.types_mut())
            .map_err(|reason| invalid(&name, reason))?;
        let exports = &graph.types()[package.ty()].exports;
        if let Some((_, export)) = part.imports.iter().find(|(_, e)| !exports.contains_key(e)) {
            return Err(ComposeError::Missing { name, export: export.clone() });
        }
        let package = graph.register_package(package).map_err(|r| mismatch(&name, &r))?;
        let instance = graph.instantiate(package);
        for (import, export) in part.imports {
            let export = graph
                .alias_instance_export(instance, export)
                .map_err(|reason| mismatch(&name, &reason))?;
            graph
                .set_instantiation_argument(main, import, export)
                .map_err(|reason| mismatch(&name, &reason))?;
        }
    }
    export_all(&mut graph, main, &primary_name, |_| true)?;
    let bytes = graph
        .encode(EncodeOptions::default())
        .map_err(|reason| mismatch(&primary_name, &reason))?;
    Ok(Composed { bytes, denied })
}
