//! The HTTP trigger over real sockets on 127.0.0.1, with a handler in the place of components.
//! Each file tries one side of it; `site` is the only place that knows the crate's interface.
//! The modules say `cfg(test)` so that clippy lets their helpers be as blunt as the tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod log;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod places;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod shares;
#[cfg(test)]
mod site;
#[cfg(test)]
mod tls;
