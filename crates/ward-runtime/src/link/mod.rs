//! Dependencies of components: which of them are live links and which are composed, and the host's
//! side of the links. A link carries values, never permissions: the call runs in an instance of
//! the other component, with that one's grants and limits.

mod check;
mod import;
mod plan;
mod refusal;

pub(crate) use check::{check_depth, check_types};
pub(crate) use import::define;
pub(crate) use plan::{LiveLink, Plan, plan};
