//! Dependencies of components: which of them are live links and which are composed, and the host's
//! side of the links. A link carries values, never permissions: the call runs in an instance of
//! the other component, with that one's grants and limits.

use ward_manifest::App;

use crate::error::LoadError;

mod check;
mod import;
mod plan;
mod refusal;

pub(crate) use check::{check_depth, check_types, same};
pub(crate) use import::define;
pub(crate) use plan::{LiveLink, Plan, plan};

/// One import of a component that another one satisfies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The import, an interface with its version.
    pub import: String,
    /// The component that is called, or the file that is composed in.
    pub target: String,
    /// Which of the two it is.
    pub kind: LinkKind,
}

/// What became of a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// Calls go to an instance of the other component, with that one's grants.
    Live,
    /// The file has become a part of the component.
    Composed {
        /// Why it is no live link.
        reason: String,
    },
}

/// What becomes of the dependencies of a component, found out from its file alone.
pub fn links(app: &App, component: &str) -> Result<Vec<Link>, LoadError> {
    let fail = |problem: String| LoadError::new(component, problem);
    let entry = app.components.get(component).ok_or_else(|| fail("is not declared".to_owned()))?;
    if entry.dependencies.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = crate::revision::read(component, &entry.source)?;
    plan(entry, &bytes).map(|plan| plan.shown()).map_err(fail)
}
