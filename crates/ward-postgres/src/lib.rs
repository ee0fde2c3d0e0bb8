//! The one way to PostgreSQL, for the host and for its guests alike: what an address says
//! ([`Address`]), what protects a connection to it (`policy`, `tls`), and how it is opened with one
//! deadline for all of it ([`dial`], [`connect`]). It pools nothing, knows no component and grants
//! nothing: who may reach what is asked of the caller.
//!
//! No text from here holds a password, a value of a row, or a part of an address that could not be
//! read. `docs/postgresql.md` has the parameters and what Ward does with each.

mod address;
mod dial;
mod error;
mod limits;
mod parameter;
mod policy;
mod role;
mod target;
mod text;
mod tls;
mod words;

pub use address::{Address, Endpoint};
pub use dial::{Connection, Dialled, connect, dial, everywhere};
pub use error::{AddressError, DialError};
pub use target::Target;
pub use tls::Connector;
pub use words::{chain, words};
