//! Probes of PostgreSQL. `url` is the address, `sql` one statement without parameters. Rows come
//! back as the `Debug` text of their values.

use spin_sdk::pg::Connection;
use spin_sdk::pg::wit::postgres::Connection as SyncConnection;

use crate::{Outcome, Query, text};

async fn connect(query: &Query) -> Result<Connection, String> {
    Connection::open(query.get("url")?).await.map_err(text)
}

/// Opens a connection and lets it go.
pub(crate) async fn open(query: &Query) -> Outcome {
    connect(query).await.map(|_| "open".to_owned())
}

/// `query-async`, rows read to the end.
pub(crate) async fn query(query: &Query) -> Outcome {
    let connection = connect(query).await?;
    let mut result = connection.query(query.get("sql")?, Vec::new()).await.map_err(text)?;
    let mut rows = Vec::new();
    while let Some(row) = result.rows().next().await {
        rows.push(format!("{row:?}"));
    }
    result.result().await.map_err(text)?;
    Ok(rows.join("\n"))
}

/// The blocking `query`.
pub(crate) fn query_sync(query: &Query) -> Outcome {
    let connection = SyncConnection::open(query.get("url")?).map_err(text)?;
    let rows = connection.query(query.get("sql")?, &[]).map_err(text)?.rows;
    let rows: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
    Ok(rows.join("\n"))
}

/// `execute-async`; the number of rows.
pub(crate) async fn execute(query: &Query) -> Outcome {
    let connection = connect(query).await?;
    let count = connection.execute(query.get("sql")?, Vec::new()).await.map_err(text)?;
    Ok(count.to_string())
}

/// Begins a transaction, runs `sql` in it, and drops the connection without an end.
pub(crate) async fn abandon(query: &Query) -> Outcome {
    let connection = connect(query).await?;
    for statement in ["BEGIN", query.get("sql")?] {
        connection.execute(statement, Vec::new()).await.map_err(text)?;
    }
    Ok("abandoned".to_owned())
}
