//! Who may do what: the one table of roles, scopes and operations, to be read by people.
//!
//! A user has a role, a role has scopes ([`mod@roles`]), an operation needs one ([`http`],
//! [`grpc`]). auth writes a role's scopes into its tokens; guard, in front of each component, and
//! the host's gRPC trigger compare them with what the operation needs, before any component runs.
//! What is not in the table is refused, and a role that is not in it has no scope.
//!
//! Nothing can go its own way: a component's table of operations takes its scopes from here and
//! does not compile where the two differ, `spin.toml` names the scopes of gRPC again and a test
//! compares, and `docs/roles.md` is made from here and tried against a running system.
//!
//! Plain data, no dependencies, nothing that is computed from a request.

pub mod grpc;
pub mod http;
mod operation;
pub mod roles;
pub mod scopes;

#[cfg(test)]
mod manual;
#[cfg(test)]
mod tests;

pub use operation::{Operation, Scope, Verb};
pub use roles::{allows, scopes};
