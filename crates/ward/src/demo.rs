//! Demo data: a service's SQL file, loaded as the service's role, in one transaction, and only
//! into a database whose tables are all empty. Data of anybody's own is never mixed with it.

use std::fs;
use std::path::Path;

use tokio_postgres::{Client, Transaction};

use crate::database::sql_error;
use crate::failure::Failure;

/// The tables of a service, without the record of its migrations and without who relays its
/// outbox, which has a row for each lane from the start.
const TABLES: &str = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
    AND tablename NOT IN ('refinery_schema_history', 'outbox_lane', 'outbox_relay')";

/// Loads `file` if the database is empty; returns whether it was.
pub(crate) async fn load(client: &mut Client, file: &Path) -> Result<bool, Failure> {
    let sql = fs::read_to_string(file).map_err(Failure::because(file.display()))?;
    let failed = |error| sql_error(&format!("loading {}", file.display()), &error);
    let transaction = client.transaction().await.map_err(failed)?;
    // Another ward may be loading it: both would find the tables empty.
    let lock = "SELECT pg_advisory_xact_lock(hashtext('ward'), hashtext('demo'))";
    transaction.batch_execute(lock).await.map_err(failed)?;
    if !is_empty(&transaction).await.map_err(failed)? {
        return Ok(false);
    }
    transaction.batch_execute(&sql).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(true)
}

async fn is_empty(transaction: &Transaction<'_>) -> Result<bool, tokio_postgres::Error> {
    for row in transaction.query(TABLES, &[]).await? {
        // The name was quoted by the server.
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", row.get::<_, &str>(0));
        if transaction.query_one(&sql, &[]).await?.get(0) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ward_embedded::Postgres;

    use super::load;
    use crate::database::connect;

    #[tokio::test]
    async fn only_an_empty_database_gets_it_and_all_of_it() {
        let server = Postgres::ephemeral().await.unwrap();
        let mut client = connect(&server.create_database().await.unwrap()).await.unwrap();
        client.batch_execute("CREATE TABLE \"A b\" (n int CHECK (n < 3))").await.unwrap();
        let lanes = "CREATE TABLE outbox_lane AS SELECT generate_series(0, 15) AS lane";
        client.batch_execute(lanes).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("demo.sql");
        let insert = "INSERT INTO \"A b\" VALUES ";

        fs::write(&file, format!("{insert}(1); {insert}(3);")).unwrap();
        assert!(load(&mut client, &file).await.is_err());
        fs::write(&file, format!("{insert}(1); {insert}(2);")).unwrap();
        assert!(load(&mut client, &file).await.unwrap());
        assert!(!load(&mut client, &file).await.unwrap());
        let count: i64 =
            client.query_one("SELECT count(*) FROM \"A b\"", &[]).await.unwrap().get(0);
        assert_eq!(count, 2);
    }
}
