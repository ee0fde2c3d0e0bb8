//! The contract of billing as Rust, for calling it, generated from `wit/`. Nothing is written by
//! hand here.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its documentation is the WIT's"
)]

spin_sdk::wit_bindgen::generate!({
    path: ["../../wit/common", "../../wit/billing"],
    world: "pms:billing/client",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});
