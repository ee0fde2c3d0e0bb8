//! The error variants, and that what a database error says about values stays with the guest.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::{address, connected, database};
use crate::capabilities::bindings::postgres::{DbError, Error, ParameterValue as P, QueryError};
use crate::capabilities::postgres::pool::PostgresService;

fn db_error(error: Error) -> DbError {
    match error {
        Error::QueryFailed(QueryError::DbError(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn extra<'a>(error: &'a DbError, key: &str) -> Option<&'a str> {
    error.extras.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_database_error_carries_code_constraint_and_detail() {
    let (_service, _, lease) = connected().await;
    lease.execute("CREATE TABLE p (email text CONSTRAINT p_email_key UNIQUE)", &[]).await.unwrap();
    let insert = "INSERT INTO p (email) VALUES ($1)";
    let email = [P::Str("jane@example.com".into())];
    assert!(matches!(lease.execute(insert, &email).await, Ok(1)));
    for failed in [
        lease.execute(insert, &email).await.unwrap_err(),
        lease.query(insert, &email).await.unwrap_err(),
    ] {
        let error = db_error(failed);
        assert_eq!((error.code.as_str(), error.severity.as_str()), ("23505", "ERROR"));
        assert_eq!(extra(&error, "constraint"), Some("p_email_key"));
        assert_eq!(extra(&error, "table"), Some("p"));
        assert!(error.detail.as_deref().is_some_and(|detail| detail.contains("jane@")));
        assert!(!error.as_text.contains("jane@"), "{}", error.as_text);
    }
}

#[tokio::test]
async fn codes_of_common_failures() {
    let (_service, _, lease) = connected().await;
    for (statement, code) in [
        ("SELEC 1", "42601"),
        ("SELECT * FROM absent", "42P01"),
        ("SELECT 1; SELECT 2", "42601"),
        ("SELECT 1 / 0", "22012"),
        ("SELECT 'x'::int4", "22P02"),
    ] {
        assert_eq!(db_error(lease.query(statement, &[]).await.unwrap_err()).code, code);
    }
    let copy = lease.execute("COPY pg_type TO STDOUT", &[]).await.unwrap_err();
    assert!(matches!(copy, Error::QueryFailed(QueryError::Text(_))));
    assert!(lease.value("SELECT 1", &[]).await.is_ok());
}

#[tokio::test]
async fn connections_that_fail_say_so_without_the_password() {
    let service = PostgresService::new(None, Arc::default());
    let url = database().await;
    let wrong = url.replacen("://test_", "://nobody_", 1);
    let closed = "postgres://u:hunter2@127.0.0.1:1/d";
    for url in [wrong.as_str(), closed, &format!("{url}?sslmode=require")] {
        let Err(error) = service.open(&address(url)).await else { panic!("connected") };
        let Error::ConnectionFailed(text) = error else { panic!("{error:?}") };
        let password = url.split([':', '@']).nth(2).unwrap();
        assert!(!text.contains(password), "{text}");
    }
}

/// All that is logged, at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn values_and_details_are_never_logged() {
    let url = database().await;
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("the log works");

    let service = PostgresService::new(None, Arc::default());
    let lease = service.open(&address(&url)).await.unwrap();
    lease.execute("CREATE TABLE p (email text UNIQUE)", &[]).await.unwrap();
    let email = [P::Str("jane.roe@example.com".into())];
    for _ in 0..2 {
        drop(lease.execute("INSERT INTO p VALUES ($1)", &email).await);
    }
    let notice = "DO $$ BEGIN RAISE NOTICE 'jane.roe@example.com'; END $$";
    lease.execute(notice, &[]).await.unwrap();
    drop(lease.query("SELECT 'jane.roe'::int4", &[]).await);
    drop(lease.query("SELECT $1::int4", &email).await);
    drop(lease);

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("the log works"));
    assert!(!logged.contains("jane"), "{logged}");
    // The database library prints parameters when its own debug log is on.
    let encoded = super::super::types::encode(&email[0], &tokio_postgres::types::Type::TEXT);
    assert!(!format!("{:?}", encoded.unwrap()).contains("jane"));
}
