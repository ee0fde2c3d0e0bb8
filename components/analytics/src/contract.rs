//! What `wit/patients` asks of a consumer, as generated Rust, and where it is taken up. The rest of
//! the component does not know that a contract has bytes.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

// The SDK's own generator and runtime: a second one beside it would be a second executor.
spin_sdk::wit_bindgen::generate!({
    inline: "package ward:analytics; world analytics { export pms:patients/consumer@1.0.0; }",
    path: "../../wit/patients",
    world: "ward:analytics/analytics",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    default_bindings_module: "crate::contract",
    generate_all,
});

#[cfg(test)]
pub(crate) use exports::pms::patients::consumer::Position;
pub(crate) use exports::pms::patients::consumer::{Delivery, Outcome};
pub(crate) use pms::patients::events::PatientEvent;

struct Consumer;

export!(Consumer with_types_in self);

impl exports::pms::patients::consumer::Guest for Consumer {
    async fn consume(deliveries: Vec<Delivery>) -> Vec<Outcome> {
        crate::consume::consume(&deliveries).await
    }
}
