//! The HTTP trigger over real sockets on 127.0.0.1, with a handler in the place of components.
//! Each file tries one side of it; `site` is the only place that knows the crate's interface.

mod bodies;
mod drain;
mod heads;
mod http2;
mod limits;
mod log;
mod malformed;
mod probe;
mod raw;
mod routes;
mod site;
