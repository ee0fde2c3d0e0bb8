//! The contracts of patients as Rust: what it calls and what it exports, generated from `wit/`.
//! Nothing is written by hand here.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its documentation is the WIT's"
)]

use crate::upkeep::Component;

spin_sdk::wit_bindgen::generate!({
    path: ["../../wit/common", "../../wit/billing", "../../wit/patients"],
    inline: "
        package pms:patients-component;

        world component {
            import pms:billing/billing-service@1.0.0;
            export pms:patients/upkeep@1.0.0;
        }
    ",
    world: "pms:patients-component/component",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
    default_bindings_module: "crate::bindings",
});

export!(Component);
