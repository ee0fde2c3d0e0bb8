//! The contracts of billing as Rust: generated from `wit/`, by the `wit-bindgen` that the SDK
//! itself uses, so that one async runtime is linked. Nothing is written by hand here.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its documentation is the WIT's"
)]

use crate::wit::Component;

spin_sdk::wit_bindgen::generate!({
    path: ["../../wit/common", "../../wit/billing"],
    world: "pms:billing/billing",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
    default_bindings_module: "crate::bindings",
});

export!(Component);
