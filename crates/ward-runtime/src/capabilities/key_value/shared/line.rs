//! A connection to the stores' database that is made when it is needed, and again when it was lost.
//! It is polled by a task of its own, and so is every statement: the guest that waits for one may
//! compute meanwhile, and must not hold up others.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, RowStream, Statement};
use ward_postgres::{Address, dial, everywhere, words};

use super::super::limits::{ANSWER_MAX, LOCK_MAX};
use super::statements::{ARE_MADE, IS_THERE, MAKE, SCHEMA};

/// Why the database has not answered, for the log: never a key or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed(pub(super) String);

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(words(&error))
    }
}

/// What did not come in time.
pub(super) fn late() -> Failed {
    Failed("no answer in time".to_owned())
}

/// An open connection to a store's tables.
pub(super) struct Session {
    client: Client,
    prepared: StdMutex<HashMap<&'static str, Statement>>,
    driver: JoinHandle<()>,
}

impl Session {
    /// Connects, makes what is missing and the store `name`. `woken` hears of notifications, and of
    /// the connection's end.
    pub(super) async fn open(
        address: &Address,
        name: &str,
        woken: Arc<Notify>,
    ) -> Result<Self, Failed> {
        let dialled = dial(address, Instant::now() + ANSWER_MAX, &everywhere).await;
        let dialled = dialled.map_err(|error| Failed(error.to_string()))?;
        let mut connection = dialled.connection;
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if matches!(message, AsyncMessage::Notification(_)) {
                    woken.notify_one();
                }
            }
            drop(connection);
            woken.notify_one();
        });
        let session = Self { client: dialled.client, prepared: StdMutex::default(), driver };
        session.run(&bounds()).await?;
        session.prepare(name).await?;
        Ok(session)
    }

    /// Makes what is missing.
    async fn prepare(&self, name: &str) -> Result<(), Failed> {
        let made = self.query(ARE_MADE, &[]).await?;
        if !made.first().map_or(Ok(false), |row| row.try_get(0))? {
            self.run(SCHEMA).await?;
        }
        if self.query(IS_THERE, &[&name]).await?.is_empty() {
            self.query(MAKE, &[&name]).await?;
        }
        Ok(())
    }

    /// Runs what has no parameters and no rows.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Failed> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Runs a statement.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failed> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// Runs a statement, of whose rows no more are held than have come.
    pub(super) async fn stream(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<RowStream, Failed> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query_raw(&statement, values.iter().copied()).await?)
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, Failed> {
        let known = || self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = known().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        known().insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Statements end by themselves where this side is gone, and so does the session.
fn bounds() -> String {
    let mut bounds = String::new();
    let ms = |duration: Duration| duration.as_millis();
    for (name, value) in [
        ("statement_timeout", ms(ANSWER_MAX)),
        ("lock_timeout", ms(LOCK_MAX)),
        ("idle_in_transaction_session_timeout", ms(ANSWER_MAX)),
        ("tcp_keepalives_idle", 5),
        ("tcp_keepalives_interval", 5),
        ("tcp_keepalives_count", 3),
    ] {
        // Writing to a text cannot fail.
        let _ = write!(bounds, "SET {name} = {value};");
    }
    bounds
}

/// A statement's parameters.
pub(super) type Values = Vec<Box<dyn ToSql + Sync + Send>>;

/// A connection, or the way to one.
pub(super) struct Line {
    address: Arc<Address>,
    store: Arc<str>,
    session: Mutex<Option<Arc<Session>>>,
}

impl Line {
    pub(super) fn new(address: Arc<Address>, store: Arc<str>) -> Arc<Self> {
        Arc::new(Self { address, store, session: Mutex::default() })
    }

    /// Runs `sql` and reads its rows for a caller who may leave or stand still: it is done all the
    /// same.
    pub(super) async fn query<T: Send + 'static>(
        self: &Arc<Self>,
        sql: &'static str,
        values: Values,
        read: impl FnOnce(&[Row]) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Failed> {
        let line = self.clone();
        let work = tokio::spawn(async move { read(&line.rows(sql, &values).await?) });
        work.await.unwrap_or_else(|_| Err(Failed("its task stopped".to_owned())))
    }

    /// A connection that was silent for too long is not used again.
    async fn rows(&self, sql: &'static str, values: &Values) -> Result<Vec<Row>, Failed> {
        let session = timeout(ANSWER_MAX, self.session()).await.map_err(|_| late())??;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
        if let Ok(outcome) = timeout(ANSWER_MAX, session.query(sql, &values)).await {
            return outcome;
        }
        let mut current = self.session.lock().await;
        if current.as_ref().is_some_and(|own| Arc::ptr_eq(own, &session)) {
            *current = None;
        }
        Err(late())
    }

    async fn session(&self) -> Result<Arc<Session>, Failed> {
        let mut current = self.session.lock().await;
        if let Some(session) = current.as_ref().filter(|session| session.is_open()) {
            return Ok(session.clone());
        }
        *current = None;
        let opened = Session::open(&self.address, &self.store, Arc::default()).await?;
        Ok(current.insert(Arc::new(opened)).clone())
    }
}
