//! What components may ask of the host beyond WASI: PostgreSQL, key-value stores and variables,
//! under the names Spin gives them. Every grant is checked here, at the host's side of the call.
//! Nothing in here knows the store's state type: each capability has a context (what one component
//! may do), a view (that context and the resource table) and an `add_to_linker`.
//!
//! Values, parameters, keys and what the database says about them never reach a log.

mod bindings;
pub(crate) mod key_value;
pub(crate) mod postgres;
pub(crate) mod variables;
