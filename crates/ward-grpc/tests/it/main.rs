//! The gRPC trigger over real sockets on 127.0.0.1, with native functions in the place of
//! components. Each file tries one side of it; `site` is the only place that knows the crate's
//! interface. The modules say `cfg(test)` so that clippy lets their helpers be as blunt as the
//! tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

#[cfg(test)]
mod codes;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod gzip;
#[cfg(test)]
mod health;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod log;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod reflection;
#[cfg(test)]
mod shares;
#[cfg(test)]
mod site;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;
