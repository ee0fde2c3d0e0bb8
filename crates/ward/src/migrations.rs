//! Migrations: the SQL files of a service, applied in order as the owner of its database, who then
//! gives the role that serves its rights. Several wards may start at once; an advisory lock lets
//! one of them work. A migration that was applied and then edited or removed is refused, because
//! the database no longer is what the files say.

use std::collections::BTreeMap;

use refinery::error::Kind;
use refinery::{Migration, Runner, load_sql_migrations};
use tokio_postgres::Client;
use ward_manifest::Database;

use crate::database::sql_error;
use crate::failure::Failure;
use crate::owner;
use crate::progress::Phase;

/// Identifies ward's migrations among a database's advisory locks.
const LOCK: &str = "hashtext('ward'), hashtext('migrations')";

/// What was applied, as refinery keeps it.
const APPLIED: &str = "SELECT version::bigint, checksum::text FROM refinery_schema_history";

/// Applies what has not been applied; returns how many that were. A role that may not make tables
/// finds all of them applied, or an error.
pub(crate) async fn apply(
    client: &mut Client,
    database: &Database,
    phase: &Phase,
) -> Result<usize, Failure> {
    let (migrations, name) = (load(database)?, &database.name);
    if !may_apply(client, database).await? {
        return all_applied(client, database, &migrations).await.map(|()| 0);
    }
    let what = format!("another ward migrates the database {name}; its end is waited for");
    phase.saying(&what, lock(client, "pg_advisory_lock")).await?;
    let runner = Runner::new(&migrations).set_abort_divergent(true).set_abort_missing(true);
    let what = format!(
        "still migrating the database {name}; a migration waits for whoever uses its tables"
    );
    let result = phase.saying(&what, runner.run_async(client)).await;
    let granted = match &result {
        Ok(_) => owner::grant(client, database).await,
        Err(_) => Ok(()),
    };
    lock(client, "pg_advisory_unlock").await?;
    let report = result.map_err(|error| explain(database, &migrations, error.kind()))?;
    granted?;
    Ok(report.applied_migrations().len())
}

async fn may_apply(client: &Client, database: &Database) -> Result<bool, Failure> {
    let sql = "SELECT has_schema_privilege('public', 'CREATE')";
    let row = client.query_one(sql, &[]).await;
    let what = format!("database {}: asking what its role may do", database.name);
    Ok(row.map_err(|error| sql_error(&what, &error))?.get(0))
}

/// What a replica makes sure of, whose role serves and does not migrate.
async fn all_applied(
    client: &Client,
    database: &Database,
    migrations: &[Migration],
) -> Result<(), Failure> {
    let name = &database.name;
    let help = "run `ward migrate` with the address of the database's owner, or of an \
                administrator with --database-url";
    let rows = client.query(APPLIED, &[]).await.map_err(|error| {
        sql_error(&format!("database {name}: asking which migrations there are"), &error).help(help)
    })?;
    let applied: BTreeMap<i64, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for migration in migrations {
        match applied.get(&i64::from(migration.version())) {
            Some(checksum) if *checksum == migration.checksum().to_string() => {}
            Some(_) => {
                let kind = Kind::DivergentVersion(migration.clone(), migration.clone());
                return Err(explain(database, migrations, &kind));
            }
            None => {
                return Err(Failure::new(format!(
                    "database {name}: migration {migration} is to be applied, and the role that \
                     serves may not do that"
                ))
                .help(help));
            }
        }
    }
    Ok(())
}

fn load(database: &Database) -> Result<Vec<Migration>, Failure> {
    let directory = database.migrations.display();
    let migrations =
        load_sql_migrations(&database.migrations).map_err(|error| match error.kind() {
            Kind::InvalidName | Kind::InvalidVersion => {
                Failure::new(format!("{directory}: {error}")).help("name them V1__create.sql")
            }
            _ => Failure::new(format!("{directory}: {error}")),
        })?;
    if migrations.is_empty() {
        let text = format!("{directory}: there are no migrations here");
        return Err(Failure::new(text).help("the first is called V1__<name>.sql"));
    }
    Ok(migrations)
}

async fn lock(client: &Client, function: &str) -> Result<(), Failure> {
    let sql = format!("SELECT {function}({LOCK})");
    client.batch_execute(&sql).await.map_err(|error| sql_error("locking the migrations", &error))
}

/// refinery's words, made exact: it calls a file that came too late missing, too.
fn explain(database: &Database, files: &[Migration], kind: &Kind) -> Failure {
    let name = &database.name;
    match kind {
        Kind::DivergentVersion(applied, file) => Failure::new(format!(
            "database {name}: migration {file} was changed after it was applied (as {applied})"
        ))
        .help("put the file back as it was, and write the change as a new migration"),
        Kind::MissingVersion(migration) if files.contains(migration) => Failure::new(format!(
            "database {name}: migration {migration} is older than the newest one applied"
        ))
        .help("give it the next free number"),
        Kind::MissingVersion(migration) => Failure::new(format!(
            "database {name}: migration {migration} was applied, but its file is not in {}",
            database.migrations.display()
        ))
        .help("put the file back; was this database made by a newer version?"),
        Kind::RepeatedVersion(migration) => {
            Failure::new(format!("database {name}: two migrations have the number of {migration}"))
        }
        Kind::Connection(what, source) => {
            let source = source.downcast_ref::<tokio_postgres::Error>();
            let what = format!("database {name}: {what}");
            source.map_or_else(|| Failure::new(&what), |error| sql_error(&what, error))
        }
        other => Failure::new(format!("database {name}: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;
    use ward_embedded::{Ephemeral, Postgres};
    use ward_manifest::Database;

    use super::apply;
    use crate::database::connect;
    use crate::failure::Failure;
    use crate::progress::Progress;

    struct Service {
        url: String,
        files: TempDir,
        _server: Ephemeral,
    }

    impl Service {
        async fn new(files: &[(&str, &str)]) -> Self {
            let server = Postgres::ephemeral().await.unwrap();
            let url = server.create_database().await.unwrap();
            let directory = tempfile::tempdir().unwrap();
            for (name, sql) in files {
                fs::write(directory.path().join(name), sql).unwrap();
            }
            Self { url, files: directory, _server: server }
        }

        fn path(&self) -> &Path {
            self.files.path()
        }

        async fn apply(&self) -> Result<usize, Failure> {
            let database = Database {
                name: "service".to_owned(),
                variable: "url".to_owned(),
                migrations: self.path().to_owned(),
                demo: None,
                append_only: Vec::new(),
                read_only: Vec::new(),
                prune: None,
            };
            let phase = Progress::Quiet.phase("migrating");
            apply(&mut connect(&self.url).await?, &database, &phase).await
        }

        async fn refused(&self) -> String {
            self.apply().await.unwrap_err().messages().join("\n")
        }
    }

    const FIRST: (&str, &str) = ("V1__first.sql", "CREATE TABLE first (n int)");
    const SECOND: (&str, &str) = ("V2__second.sql", "CREATE TABLE second (n int)");

    #[tokio::test]
    async fn they_are_applied_once_and_in_order() {
        let service = Service::new(&[FIRST, SECOND]).await;
        assert_eq!(service.apply().await.unwrap(), 2);
        assert_eq!(service.apply().await.unwrap(), 0);
        fs::write(service.path().join("V3__third.sql"), "ALTER TABLE second ADD m int").unwrap();
        assert_eq!(service.apply().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn several_at_once_do_not_race() {
        let service = Service::new(&[FIRST, SECOND]).await;
        let (a, b, c) = tokio::join!(service.apply(), service.apply(), service.apply());
        assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), 2);
    }

    #[tokio::test]
    async fn an_edited_or_missing_one_is_refused() {
        let service = Service::new(&[FIRST, SECOND]).await;
        service.apply().await.unwrap();
        fs::write(service.path().join(FIRST.0), "CREATE TABLE first (n bigint)").unwrap();
        assert!(service.refused().await.contains("was changed after it was applied"));
        fs::write(service.path().join(FIRST.0), FIRST.1).unwrap();
        assert_eq!(service.apply().await.unwrap(), 0);
        fs::remove_file(service.path().join(SECOND.0)).unwrap();
        assert!(service.refused().await.contains("its file is not in"));
    }

    #[tokio::test]
    async fn one_that_comes_late_is_refused() {
        let service = Service::new(&[SECOND]).await;
        service.apply().await.unwrap();
        fs::write(service.path().join(FIRST.0), FIRST.1).unwrap();
        assert!(service.refused().await.contains("older than the newest"));
    }

    #[tokio::test]
    async fn a_failing_one_changes_nothing_and_keeps_values_to_itself() {
        let sql = "CREATE TABLE t (email text UNIQUE); \
                   INSERT INTO t VALUES ('jane@example.com'), ('jane@example.com')";
        let service = Service::new(&[("V1__twice.sql", sql)]).await;
        let text = service.refused().await;
        assert!(text.contains("23505") && text.contains("V1__twice"), "{text}");
        assert!(!text.contains("jane"), "{text}");
        fs::write(service.path().join("V1__twice.sql"), "CREATE TABLE t (email text)").unwrap();
        assert_eq!(service.apply().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_directory_without_any_is_a_mistake() {
        let service = Service::new(&[]).await;
        assert!(service.refused().await.contains("no migrations here"));
    }
}
