//! Finds out how a component wants its requests: through `wasi:http/handler` (p3) or
//! `wasi:http/incoming-handler` (p2). Exactly one of the two, as in Spin.

use wasmtime::component::{Component, InstancePre};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::{p2, p3};

use crate::error::LoadError;
use crate::state::State;

/// The export through which a component takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandlerExport {
    /// `wasi:http/incoming-handler@0.2.x`.
    P2,
    /// `wasi:http/handler@0.3.x`.
    P3,
}

/// Looks at the exports of a compiled component.
pub(crate) fn handler(component: &Component, id: &str) -> Result<HandlerExport, LoadError> {
    let ty = component.component_type();
    let names: Vec<String> =
        ty.exports(component.engine()).map(|(name, _)| name.to_owned()).collect();
    find(names.iter().map(String::as_str)).map_err(|problem| {
        LoadError::new(id, problem)
            .help("export one of wasi:http/handler@0.3.x or wasi:http/incoming-handler@0.2.x")
    })
}

fn find<'a>(names: impl Iterator<Item = &'a str>) -> Result<HandlerExport, String> {
    let mut found = Vec::new();
    for name in names {
        if is_version(name, "wasi:http/handler@", "0.3.") {
            found.push((name, HandlerExport::P3));
        } else if is_version(name, "wasi:http/incoming-handler@", "0.2.") {
            found.push((name, HandlerExport::P2));
        }
    }
    match found.as_slice() {
        [(_, export)] => Ok(*export),
        [] => Err("exports no HTTP handler that Ward can call".to_owned()),
        [(first, _), (second, _), ..] => {
            Err(format!("exports more than one HTTP handler: `{first}` and `{second}`"))
        }
    }
}

/// A final release of the version: a release candidate has another shape.
fn is_version(name: &str, interface: &str, version: &str) -> bool {
    name.strip_prefix(interface)
        .and_then(|found| found.strip_prefix(version))
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
}

impl HandlerExport {
    /// The component as something that requests can be handed to.
    pub(crate) fn pre(self, pre: InstancePre<State>) -> wasmtime::Result<ProxyPre<State>> {
        Ok(match self {
            Self::P2 => ProxyPre::P2(p2::bindings::ProxyPre::new(pre)?),
            Self::P3 => ProxyPre::P3(p3::bindings::ServicePre::new(pre)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_handler_is_found_and_two_or_none_are_refused() {
        let check = |names: &[&str]| find(names.iter().copied());
        assert_eq!(check(&["wasi:http/handler@0.3.0"]), Ok(HandlerExport::P3));
        assert_eq!(check(&["a:b/c", "wasi:http/incoming-handler@0.2.6"]), Ok(HandlerExport::P2));
        assert!(check(&["wasi:http/handler@0.3.0-rc-2026-03-15"]).is_err());
        assert!(check(&["wasi:cli/run@0.2.0"]).is_err());
        assert!(check(&["wasi:http/handler@0.3.0", "wasi:http/incoming-handler@0.2.0"]).is_err());
    }
}
