//! Types and traits of Spin's interfaces, generated from `wit/`. The WIT files state the published
//! interfaces' names, types and order, nothing else; this file must not hold behaviour.

#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated code: its shape is decided by the macro"
)]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "ward:capabilities/host",
        imports: {
            "spin:postgres/postgres.[static]connection.open": async | trappable,
            "spin:postgres/postgres.[method]connection.query": async | trappable,
            "spin:postgres/postgres.[method]connection.execute": async | trappable,
            "spin:postgres/postgres.[method]connection-builder.build": async | trappable,
            default: trappable,
        },
        with: {
            "spin:postgres/postgres.connection": crate::capabilities::postgres::Connection,
            "spin:postgres/postgres.connection-builder":
                crate::capabilities::postgres::ConnectionBuilder,
            "spin:key-value/key-value.store": crate::capabilities::key_value::Store,
        },
        require_store_data_send: true,
    });
}

pub(crate) use generated::spin::key_value::key_value;
pub(crate) use generated::spin::postgres::postgres;
pub(crate) use generated::spin::variables::variables;
