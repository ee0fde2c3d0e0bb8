//! What has to hold for the live links of an application before it serves: no chain of them is too
//! long, and both ends of each speak of the same types.

use std::collections::BTreeMap;

use wasmtime::component::types::{ComponentFunc, ComponentItem};

use super::plan::LiveLink;
use crate::error::LoadError;
use crate::host::Revisions;
use crate::limits;

/// Refuses links that follow each other further than the limit. The manifest has no rings.
pub(crate) fn check_depth<'a>(
    links: impl Iterator<Item = (&'a str, &'a [LiveLink])>,
) -> Result<(), LoadError> {
    let links: BTreeMap<&str, &[LiveLink]> = links.collect();
    for id in links.keys() {
        if let Some(chain) = too_long(id, &links, limits::LINK_DEPTH_MAX) {
            let problem = format!("its live links lead on too far: {}", chain.join(" → "));
            let help = format!("at most {} may follow each other", limits::LINK_DEPTH_MAX);
            return Err(LoadError::new(id, problem).help(help));
        }
    }
    Ok(())
}

/// A chain from `id` with more than `left` links.
fn too_long<'a>(
    id: &'a str,
    links: &BTreeMap<&'a str, &'a [LiveLink]>,
    left: usize,
) -> Option<Vec<&'a str>> {
    links.get(id)?.iter().find_map(|link| {
        let rest = match left.checked_sub(1) {
            None => vec![link.component.as_str()],
            Some(left) => too_long(&link.component, links, left)?,
        };
        Some([vec![id], rest].concat())
    })
}

/// Refuses links whose two ends were built against different contracts.
pub(crate) fn check_types(
    id: &str,
    links: &[LiveLink],
    revisions: &Revisions,
) -> Result<(), LoadError> {
    for link in links {
        let current = |id: &str| revisions.get(id).map(|revision| &revision.callee);
        let (Some(caller), Some(callee)) = (current(id), current(&link.component)) else {
            let problem = format!("its link to `{}` leads nowhere", link.component);
            return Err(LoadError::new(id, problem));
        };
        let component = caller.compiled();
        let engine = component.engine();
        let ty = component.component_type();
        let import = ty.get_import(engine, &link.import);
        let Some(ComponentItem::ComponentInstance(interface)) = import.map(|item| item.ty) else {
            continue;
        };
        for (name, item) in interface.exports(engine) {
            let ComponentItem::ComponentFunc(wanted) = item.ty else { continue };
            let found = callee.function(&link.export, name);
            let flaw = match found {
                None => "does not export it",
                Some(found) if !same(&wanted, &found.ty) => "has other types there",
                Some(_) => continue,
            };
            let problem = format!(
                "`{name}` of `{}` cannot be linked: `{}` {flaw}",
                link.import, link.component
            );
            return Err(LoadError::new(id, problem).help("build both against the same contract"));
        }
    }
    Ok(())
}

/// Whether two functions take and return the same.
pub(crate) fn same(wanted: &ComponentFunc, found: &ComponentFunc) -> bool {
    wanted.async_() == found.async_()
        && wanted.params().map(|(_, ty)| ty).eq(found.params().map(|(_, ty)| ty))
        && wanted.results().eq(found.results())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of so many links.
    fn chain(links: usize) -> Result<(), LoadError> {
        let ids: Vec<String> = (0..=links).map(|n| format!("c{n}")).collect();
        let link = |to: &String| LiveLink {
            import: "a:b/c".to_owned(),
            component: to.clone(),
            export: "a:b/c".to_owned(),
        };
        let lists: Vec<Vec<LiveLink>> =
            ids.iter().skip(1).map(|to| vec![link(to)]).chain([Vec::new()]).collect();
        check_depth(ids.iter().map(String::as_str).zip(lists.iter().map(Vec::as_slice)))
    }

    #[test]
    fn chains_are_as_long_as_the_limit_and_no_longer() {
        chain(0).unwrap();
        chain(limits::LINK_DEPTH_MAX).unwrap();
        let error = chain(limits::LINK_DEPTH_MAX + 1).unwrap_err();
        assert!(
            error.problem.ends_with("c0 → c1 → c2 → c3 → c4 → c5 → c6 → c7 → c8 → c9"),
            "{error}"
        );
    }
}
