//! The contracts of billing as Rust, generated from `wit/`. Nothing is written by hand here.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its documentation is the WIT's"
)]

use crate::Failing;

spin_sdk::wit_bindgen::generate!({
    path: ["../../../wit/common", "../../../wit/billing", "../../../wit/patients"],
    inline: "
        package pms:failing-billing;

        world component {
            include pms:billing/billing@1.0.0;
            export pms:common/refusals@1.0.0;
            export pms:patients/consumer@1.0.0;
        }
    ",
    world: "pms:failing-billing/component",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
    default_bindings_module: "crate::bindings",
});

export!(Failing);
