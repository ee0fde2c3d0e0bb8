//! A look behind the API, into the services' databases, for what the API does not show: outbox and
//! audit rows.

use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

/// How long a server may take to be there again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to one service's database.
pub struct Database {
    client: Client,
}

impl Database {
    /// Connects as the service's own role, with the address ward keeps in its state directory. A
    /// server that was killed is waited for.
    pub async fn open(state: &Path, service: &str) -> Database {
        Database::at(&secret(state, service, "url")).await
    }

    /// Connects to an address. A server that was killed is waited for.
    pub(crate) async fn at(url: &str) -> Database {
        let start = Instant::now();
        loop {
            match tokio_postgres::connect(url, NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return Database { client };
                }
                Err(error) => assert!(start.elapsed() < PATIENCE, "no connection: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Rows of a query as JSON objects by column name.
    pub async fn rows(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<Value> {
        let query = format!("SELECT to_jsonb(found) FROM ({query}) AS found");
        let rows = self.client.query(&query, parameters).await.expect("a query that works");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Runs a statement; the error's text where it fails.
    pub async fn run(
        &self,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, String> {
        self.client.execute(statement, parameters).await.map_err(|error| format!("{error:?}"))
    }
}

/// What ward keeps in `secrets.toml` about the database of a service: `password` or `url`.
pub(crate) fn secret(state: &Path, service: &str, member: &str) -> String {
    let file = state.join("secrets.toml");
    let text = std::fs::read_to_string(&file).expect("ward keeps its secrets in secrets.toml");
    let secrets: toml::Table = text.parse().expect("secrets.toml is TOML");
    let value = &secrets["databases"][service][member];
    value.as_str().expect("a text").to_owned()
}
