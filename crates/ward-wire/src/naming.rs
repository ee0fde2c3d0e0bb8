//! Names: how WIT's kebab-case becomes what protobuf's style guide asks for, and what a trigger may
//! say about it.

/// How names are chosen for one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Naming {
    /// The protobuf package of the interface's WIT package. `None`: derived from its name and
    /// version, `pms:billing@1.0.0` → `pms.billing.v1`. Empty: no package. Types that are used from
    /// other WIT packages are always in the package derived from theirs.
    pub package: Option<String>,
    /// The service's name. `None`: the interface's name in UpperCamel.
    pub service: Option<String>,
    /// Record types that the trigger supplies and that are left out of messages, such as
    /// `pms:common/types.caller`.
    pub ambient: Vec<String>,
}
