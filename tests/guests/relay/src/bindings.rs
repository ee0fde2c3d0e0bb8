//! What the macro makes of the callee's `wit/`; it must hold nothing else.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    dead_code,
    reason = "generated code: its shape is decided by the macro"
)]

spin_sdk::wit_bindgen::generate!({
    path: "../callee/wit",
    world: "relay",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    pub_export_macro: true,
    default_bindings_module: "crate::bindings",
});
