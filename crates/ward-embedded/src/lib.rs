//! PostgreSQL for `ward up` and for tests: finds the server's
//! binaries (or installs them), makes a cluster under `.ward/`, runs it as a supervised child
//! process and stops it in order. It must not know anything about the application: no manifest, no
//! migrations, no components. It never writes a password into a log or an error. Start at
//! [`Postgres::start`]; tests start at [`Postgres::ephemeral`].

mod account;
mod binaries;
mod cluster;
mod command;
mod connect;
mod ephemeral;
mod error;
mod install;
mod lock;
mod modes;
mod place;
mod postgres;
mod postmaster;
mod provision;
mod supervisor;
mod wait;

pub use binaries::{Installation, VERSION_MIN, installations};
pub use ephemeral::Ephemeral;
pub use error::EmbeddedError;
pub use install::{ensure_installed, how_to_install};
pub use lock::StateLock;
pub use modes::keeps_modes;
pub use postgres::{ClusterState, Options, Origin, Postgres, Progress, quiet};
pub use provision::{
    ExistingRole, LOCK_MAX, Owner, database_url, ensure_database, ensure_pruner, generate_password,
    owner_of, pruner_of, quote_identifier,
};
pub use wait::{Unwanted, saying, wanted};
