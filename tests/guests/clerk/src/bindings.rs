//! What the macro makes of billing's contract; it must hold nothing else.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    reason = "generated code: its shape is decided by the macro"
)]

spin_sdk::wit_bindgen::generate!({
    inline: "
        package test:clerk;
        world clerk {
            export pms:billing/billing-service@1.0.0;
        }
    ",
    path: ["../../../wit/common", "../../../wit/billing"],
    world: "test:clerk/clerk",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
    pub_export_macro: true,
    default_bindings_module: "crate::bindings",
});
