//! A connection to the log's database that is made when it is needed, and again when it was lost.
//! A statement is prepared the first time a connection runs it: there are two dozen of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use tokio::sync::Mutex;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::schema::{CHANNEL, SCHEMA};
use crate::database::{Connect, DatabaseError, Link, in_time, own_name};
use crate::limits::{OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, pause};

/// An open connection.
struct Session {
    link: Link,
    prepared: StdMutex<HashMap<String, Statement>>,
}

impl Session {
    async fn prepared(&self, sql: &str) -> Result<Statement, DatabaseError> {
        let known = || self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = known().get(sql) {
            return Ok(statement.clone());
        }
        let statement = in_time(self.link.client.prepare(sql)).await?;
        known().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    async fn query(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        let statement = self.prepared(sql).await?;
        in_time(self.link.client.query(&statement, values)).await
    }
}

/// A connection, or the way to one.
pub(super) struct Store {
    connect: Connect,
    is_writing: bool,
    session: Mutex<Option<Arc<Session>>>,
}

impl Store {
    /// `is_writing`: what is committed has to be on the disk before that is said. Otherwise what is
    /// lost in a crash of the server is done again.
    pub(super) fn new(connect: Connect, is_writing: bool) -> Store {
        Store { connect, is_writing, session: Mutex::new(None) }
    }

    /// The connection.
    async fn session(&self) -> Result<Arc<Session>, DatabaseError> {
        let mut current = self.session.lock().await;
        if let Some(session) = current.as_ref().filter(|session| !session.link.client.is_closed()) {
            return Ok(session.clone());
        }
        *current = None;
        let session = Arc::new(self.open().await?);
        *current = Some(session.clone());
        Ok(session)
    }

    async fn open(&self) -> Result<Session, DatabaseError> {
        let link = (self.connect)().await?;
        link.bound().await?;
        let client = &link.client;
        in_time(client.batch_execute(SCHEMA)).await?;
        if !self.is_writing {
            let sql = format!("SET synchronous_commit = off; LISTEN {CHANNEL}");
            in_time(client.batch_execute(&sql)).await?;
        }
        Ok(Session { link, prepared: StdMutex::default() })
    }

    /// Runs a statement.
    pub(super) async fn query(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        let session = self.session().await?;
        let result = session.query(sql, values).await;
        self.outcome(&session, result).await
    }

    /// A server that did not answer in time has failed, and so has its connection.
    async fn outcome<T>(
        &self,
        session: &Arc<Session>,
        result: Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        if result.as_ref().is_err_and(|error| !error.is_the_servers()) {
            let mut current = self.session.lock().await;
            if current.as_ref().is_some_and(|own| Arc::ptr_eq(own, session)) {
                *current = None;
                // Whoever waits for its notifications has to wait for another's.
                session.link.woken.notify_one();
            }
        }
        result
    }

    /// Tells other wards that there is something.
    pub(super) async fn notify(&self) -> Result<(), DatabaseError> {
        let sql = "SELECT pg_notify($1, $2)";
        self.query(sql, &[&CHANNEL, &own_name()]).await.map(drop)
    }

    /// Waits until another ward tells that there is something, or that may have been missed.
    pub(super) async fn woken(&self) {
        let mut attempt = 0;
        loop {
            match self.session().await {
                Ok(session) => return session.link.woken.notified().await,
                Err(_) => {
                    tokio::time::sleep(pause(attempt, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX)).await;
                    attempt += 1;
                }
            }
        }
    }
}
