//! The embedded server against a real PostgreSQL: what survives, what is kept apart, and who may
//! start what. Each test has a state directory of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

mod ephemeral;
mod lifecycle;
mod roles;

use std::path::Path;

use tokio_postgres::{Client, NoTls};
use ward_embedded::{Options, Postgres, quiet, wanted};

/// Starts the server of a state directory, which must work.
async fn start(state: &Path) -> Postgres {
    let options =
        Options { state: state.to_owned(), install: true, progress: quiet(), unwanted: wanted() };
    Postgres::start(options).await.unwrap()
}

/// A connection to an address.
async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The one value of the one row.
async fn value<T: for<'a> tokio_postgres::types::FromSql<'a>>(client: &Client, sql: &str) -> T {
    client.query_one(sql, &[]).await.unwrap().get(0)
}
