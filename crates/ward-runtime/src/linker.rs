//! The linker every component is linked with: WASI p2 and p3, `wasi:http` of both, and Spin's
//! capabilities. It offers everything to everyone; what a component may do is decided by its
//! instance's state at each call, never by what happens to be linked.

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::capabilities::{key_value, postgres, variables};
use crate::state::State;

/// A linker with all that Ward provides.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    postgres::add_to_linker(&mut linker, State::postgres)?;
    key_value::add_to_linker(&mut linker, State::key_value)?;
    variables::add_to_linker(&mut linker, State::variables)?;
    Ok(linker)
}
