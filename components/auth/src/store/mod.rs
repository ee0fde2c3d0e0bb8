//! The statements, and nothing about HTTP. Each says in one what it changes and what the audit log
//! is told, so that neither happens without the other; the texts are the `.sql` files beside the
//! functions. Who wins a race is decided by a row's lock, never by what was read before.

pub(crate) mod attempts;
pub(crate) mod login;
pub(crate) mod password;
pub(crate) mod refresh;
pub(crate) mod sessions;
pub(crate) mod users;

use kit::database::{Database, Fault};

/// The variable with the address of the database.
pub(crate) const DATABASE: &str = "db_url";

/// A connection to the component's own database.
pub(crate) async fn open() -> Result<Database, Fault> {
    Database::open(DATABASE).await
}
