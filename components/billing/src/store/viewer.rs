//! Who asks, and whether the accounts of restricted patients are there for them.

use kit::audit::Access;
use spin_sdk::pg::ParameterValue;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Viewer<'a> {
    pub(crate) access: Access<'a>,
    pub(crate) sees_restricted: bool,
}

impl Viewer<'_> {
    /// The caller's values, these, and last whether restricted patients are seen.
    pub(super) fn values(
        &self,
        more: impl IntoIterator<Item = ParameterValue>,
    ) -> Vec<ParameterValue> {
        let sees = ParameterValue::Boolean(self.sees_restricted);
        self.access.values(more.into_iter().chain([sees]))
    }
}
