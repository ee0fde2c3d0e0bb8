//! Who owns a service's tables: not the role that serves. That one may read and write them, may
//! only add to those that the manifest calls append-only, and may alter nothing. It works on the
//! service's own database; which databases and roles there are is `provision`'s.

use tokio_postgres::Client;
use ward_embedded::{owner_of, pruner_of, quote_identifier};
use ward_manifest::Database;

use crate::database::{connect, sql_error};
use crate::failure::Failure;

/// What refinery keeps of migrations.
const HISTORY: &str = "refinery_schema_history";

/// Whether the role that serves owns anything in this database, as it did before there was
/// another role for that.
const OWNS: &str = "SELECT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = $1 AND (
    EXISTS (SELECT FROM pg_class WHERE relowner = r.oid)
    OR EXISTS (SELECT FROM pg_proc WHERE proowner = r.oid)
    OR EXISTS (SELECT FROM pg_database WHERE datdba = r.oid AND datname = current_database())))";

/// Tables of these names that there are.
const TABLES: &str = "SELECT tablename::text FROM pg_tables
    WHERE schemaname = 'public' AND tablename = ANY ($1)";

/// Whether there are the role and the function to prune with.
const PRUNING: &str = "SELECT FROM pg_roles, pg_proc WHERE rolname = $1
    AND proname = $2 AND pronamespace = 'public'::regnamespace";

/// Connects as the owner of the service's database, by way of an administrator, whose address of
/// this database is given. What the role that serves owned is the owner's from then on.
pub(crate) async fn connect_as(admin_url: &str, database: &Database) -> Result<Client, Failure> {
    let client = connect(admin_url).await?;
    let (name, owner) = (&database.name, owner_of(&database.name));
    let failed = |error| sql_error(&format!("database {name}: changing its owner"), &error);
    let owns: bool = client.query_one(OWNS, &[name]).await.map_err(failed)?.get(0);
    let owner = quote_identifier(&owner);
    if owns {
        // At once, so that a ward that is serving does not come between.
        let rights = rights(&client, database).await.map_err(failed)?;
        let name = quote_identifier(name);
        let sql = format!("BEGIN; REASSIGN OWNED BY {name} TO {owner}; {rights}; COMMIT");
        client.batch_execute(&sql).await.map_err(failed)?;
    }
    client.batch_execute(&format!("SET ROLE {owner}")).await.map_err(failed)?;
    Ok(client)
}

/// Gives the role that serves its rights, which is of the database's name; nothing where the
/// connection is that role's own.
pub(crate) async fn grant(client: &Client, database: &Database) -> Result<(), Failure> {
    let name = &database.name;
    let failed = |error| sql_error(&format!("database {name}: the rights of its role"), &error);
    let sql = "SELECT current_user <> $1 AND EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    let serves: bool = client.query_one(sql, &[name]).await.map_err(failed)?.get(0);
    if !serves {
        return Ok(());
    }
    let rights = rights(client, database).await.map_err(failed)?;
    client.batch_execute(&format!("BEGIN; {rights}; COMMIT")).await.map_err(failed)
}

/// The statements that give the rights, for tables that there are.
async fn rights(client: &Client, database: &Database) -> Result<String, tokio_postgres::Error> {
    let role = quote_identifier(&database.name);
    let mut sql = format!(
        "GRANT USAGE ON SCHEMA public TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; \
         GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}"
    );
    let history = [HISTORY.to_owned()];
    let read_only: Vec<&String> = database.read_only.iter().chain(&history).collect();
    let append_only: Vec<&String> = database.append_only.iter().collect();
    for (withheld, tables) in
        [("INSERT, UPDATE, DELETE", read_only), ("UPDATE, DELETE", append_only)]
    {
        for row in client.query(TABLES, &[&tables]).await? {
            let table = quote_identifier(row.get(0));
            sql.push_str(&format!("; REVOKE {withheld} ON {table} FROM {role}"));
        }
    }
    if let Some(function) = &database.prune {
        let pruner = pruner_of(&database.name);
        if client.query_opt(PRUNING, &[&pruner, function]).await?.is_some() {
            let (function, pruner) = (quote_identifier(function), quote_identifier(&pruner));
            sql.push_str(&format!(
                "; GRANT USAGE ON SCHEMA public TO {pruner}; \
                 GRANT EXECUTE ON FUNCTION {function}(timestamptz) TO {pruner}"
            ));
        }
    }
    Ok(sql)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio_postgres::Client;
    use tokio_postgres::error::SqlState;
    use ward_embedded::{ExistingRole, Owner, Postgres, ensure_database};
    use ward_manifest::Database;

    use super::connect_as;
    use crate::database::{address, connect};
    use crate::failure::Failure;
    use crate::migrations;
    use crate::progress::Progress;

    async fn apply(client: &mut Client, database: &Database) -> Result<usize, Failure> {
        migrations::apply(client, database, &Progress::Quiet.phase("migrating")).await
    }

    /// A database of an earlier version, whose role owned it, and one that is new.
    #[tokio::test]
    async fn who_serves_owns_nothing_and_goes_on_serving() {
        let server = Postgres::ephemeral().await.unwrap();
        let admin = connect(&server.admin_url()).await.unwrap();
        let files = tempfile::tempdir().unwrap();
        let sql = "CREATE TABLE notes (n int); CREATE TABLE log (n serial, note text); \
                   CREATE TABLE chain (n int)";
        fs::write(files.path().join("V1__notes.sql"), sql).unwrap();
        for (name, before) in [("earlier", Owner::Itself), ("fresh", Owner::Apart)] {
            let database = Database {
                name: name.to_owned(),
                variable: "url".to_owned(),
                migrations: files.path().to_owned(),
                demo: None,
                append_only: vec!["log".to_owned()],
                read_only: vec!["chain".to_owned()],
                prune: None,
            };
            let ensure =
                |owner| ensure_database(&admin, name, "p", ExistingRole::KeepPassword, owner);
            ensure(before).await.unwrap();
            let own = address(&server.admin_url()).unwrap().for_role(name, "p");
            let mut serving = connect(&own).await.unwrap();
            if before == Owner::Itself {
                assert_eq!(apply(&mut serving, &database).await.unwrap(), 1);
                serving.batch_execute("DELETE FROM log").await.unwrap();
            }

            ensure(Owner::Apart).await.unwrap();
            let admin_url = address(&server.admin_url()).unwrap().for_database(name);
            let mut owner = connect_as(&admin_url, &database).await.unwrap();
            serving_works_unless_new(&serving, before).await;
            apply(&mut owner, &database).await.unwrap();
            for sql in [
                "INSERT INTO notes VALUES (1)",
                "INSERT INTO log (note) VALUES ('x')",
                "UPDATE notes SET n = 2",
                "DELETE FROM notes",
                "SELECT * FROM chain",
            ] {
                serving.batch_execute(sql).await.expect(sql);
            }
            for sql in [
                "UPDATE log SET n = 2",
                "DELETE FROM log",
                "TRUNCATE log",
                "DROP TABLE log",
                "ALTER TABLE log ADD m int",
                "INSERT INTO chain VALUES (1)",
                "CREATE TABLE t (n int)",
                "INSERT INTO refinery_schema_history VALUES (9)",
                "SET ROLE earlier_owner",
            ] {
                let error = serving.batch_execute(sql).await.expect_err(sql);
                assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}");
            }
            // As a replica does, which has only this address.
            assert_eq!(apply(&mut serving, &database).await.unwrap(), 0);
            connect_as(&admin_url, &database).await.unwrap();
            // A replica that is newer than the database says who has to do what.
            let newer = files.path().join("V2__more.sql");
            fs::write(&newer, "CREATE TABLE more (n int)").unwrap();
            let failure = apply(&mut serving, &database).await.unwrap_err();
            assert!(format!("{failure:?}").contains("run `ward migrate`"), "{failure:?}");
            fs::remove_file(newer).unwrap();
        }
    }

    /// A ward of the earlier version serves while the database is handed over.
    async fn serving_works_unless_new(serving: &tokio_postgres::Client, before: Owner) {
        if before == Owner::Itself {
            serving.batch_execute("INSERT INTO notes VALUES (0); SELECT * FROM log").await.unwrap();
        }
    }
}
