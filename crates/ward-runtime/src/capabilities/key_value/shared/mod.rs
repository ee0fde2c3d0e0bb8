//! A store that several wards share: tables in PostgreSQL, answered from memory.
//!
//! **A value is at most a second late.** Memory is believed for `BELIEVED` after
//! the database was asked for the store's version and said that memory has it, counted from the
//! question. A reader who comes later has the database asked first, and is told that the store
//! failed where it does not answer. While a store is in use it is asked at every beat, so that
//! nobody waits; while nobody reads, nothing is asked. Notifications make news come sooner, and
//! nothing rests on them.
//!
//! **A ward reads what it wrote.** A write is answered when memory has it, or has become doubtful.
//!
//! Whoever keeps memory is one task: a guest that stands still while it waits holds up nobody.

mod keeper;
mod line;
mod memory;
mod statements;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_postgres::Row;
use ward_postgres::Address;

use super::limits::{KEYS_BATCH, REMOVED_KEPT, TRIES_MAX};
use line::{Failed, Line, Values};
use memory::{Content, Known, Memory};

/// What a component is told. Why is in the log.
const FAILED: &str = "key-value store failed: its database does not answer";

/// A store, with the task that keeps what is known of it.
pub(crate) struct SharedStore {
    shared: Arc<Shared>,
    reads: Arc<Line>,
    writes: Arc<Line>,
    _keeper: JoinSet<()>,
}

/// What readers and the keeper share.
struct Shared {
    store: Arc<str>,
    address: Arc<Address>,
    memory: Mutex<Memory>,
    /// Somebody has read since the keeper last asked.
    used: AtomicBool,
    /// Somebody waits for the keeper to ask.
    wanted: Notify,
    /// Whether the keeper's last try succeeded; changes with each.
    tried: watch::Sender<bool>,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, key: &str) -> Known {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        self.memory().look(key.as_bytes(), Instant::now())
    }
}

impl SharedStore {
    /// The store `name` in the database of this address. Nothing is connected before it is used.
    /// Has to be called within a runtime.
    pub(super) fn new(address: Arc<Address>, name: &str) -> Self {
        let store: Arc<str> = name.into();
        let shared = Arc::new(Shared {
            store: store.clone(),
            address: address.clone(),
            memory: Mutex::default(),
            used: AtomicBool::new(false),
            wanted: Notify::new(),
            tried: watch::Sender::new(true),
        });
        let mut keeper = JoinSet::new();
        keeper.spawn(keeper::keep(shared.clone()));
        let line = || Line::new(address.clone(), store.clone());
        Self { shared, reads: line(), writes: line(), _keeper: keeper }
    }

    /// The value of `key`, if it has one.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        match self.known(key).await? {
            Known::Absent => Ok(None),
            Known::Value(value) => Ok(Some(value.to_vec())),
            Known::Long | Known::Elsewhere | Known::Doubtful => {
                let first =
                    |rows: &[Row]| Ok(rows.first().map(|row| row.try_get(0)).transpose()?);
                self.ask(statements::GET, values(&self.shared.store, key), first).await
            }
        }
    }

    /// Whether `key` has a value.
    pub(super) async fn exists(&self, key: &str) -> Result<bool, String> {
        match self.known(key).await? {
            Known::Absent => Ok(false),
            Known::Value(_) | Known::Long => Ok(true),
            Known::Elsewhere | Known::Doubtful => {
                let any = |rows: &[Row]| Ok(!rows.is_empty());
                self.ask(statements::EXISTS, values(&self.shared.store, key), any).await
            }
        }
    }

    /// Sets `key` to `value`.
    pub(super) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), String> {
        let content = Content::of(&value);
        let mut values = values(&self.shared.store, &key);
        values.push(Box::new(value));
        self.write(statements::SET, values, key, Some(content)).await
    }

    /// Removes `key`, if it is there.
    pub(super) async fn delete(&self, key: String) -> Result<(), String> {
        let mut values = values(&self.shared.store, &key);
        values.push(Box::new(REMOVED_KEPT));
        self.write(statements::REMOVE, values, key, None).await
    }

    /// The keys after `after`, in order, at most [`KEYS_BATCH`], as the database has them.
    pub(super) async fn keys(&self, after: Option<String>) -> Result<Vec<String>, String> {
        let most = i64::try_from(KEYS_BATCH).unwrap_or(i64::MAX);
        let values: Values = vec![
            Box::new(self.shared.store.to_string()),
            Box::new(after.map(String::into_bytes)),
            Box::new(most),
        ];
        let keys = |rows: &[Row]| {
            let text = |row: &Row| -> Result<String, Failed> {
                Ok(String::from_utf8_lossy(row.try_get(0)?).into_owned())
            };
            rows.iter().map(text).collect()
        };
        self.ask(statements::KEYS, values, keys).await
    }

    /// What is known of `key`, once something is that may be believed.
    async fn known(&self, key: &str) -> Result<Known, String> {
        let known = self.shared.look(key);
        if known != Known::Doubtful {
            return Ok(known);
        }
        let mut tried = self.shared.tried.subscribe();
        for _ in 0..TRIES_MAX {
            // What was asked before this reader came may have sufficed.
            let known = self.shared.look(key);
            if known != Known::Doubtful {
                return Ok(known);
            }
            self.shared.wanted.notify_one();
            let answered = tried.changed().await.is_ok() && *tried.borrow_and_update();
            if !answered {
                return Err(FAILED.to_owned());
            }
        }
        Ok(self.shared.look(key))
    }

    /// Has the database answer.
    async fn ask<T: Send + 'static>(
        &self,
        sql: &'static str,
        values: Values,
        read: impl FnOnce(&[Row]) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, String> {
        self.reads.query(sql, values, read).await.map_err(|failed| told(&failed))
    }

    /// Changes `key`; memory has it, or doubts what it has, before this returns.
    async fn write(
        &self,
        sql: &'static str,
        values: Values,
        key: String,
        content: Option<Content>,
    ) -> Result<(), String> {
        let shared = self.shared.clone();
        let remember = move |rows: &[Row]| {
            let row = rows.first().ok_or_else(|| Failed("the store is gone".to_owned()))?;
            let (version, changed): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
            match changed {
                true => shared.memory().wrote(version, key.as_bytes(), content),
                false => shared.memory().saw(version),
            }
            Ok(())
        };
        self.writes.query(sql, values, remember).await.map_err(|failed| told(&failed))
    }
}

/// The parameters that a statement about a key begins with.
fn values(store: &str, key: &str) -> Values {
    vec![Box::new(store.to_owned()), Box::new(key.as_bytes().to_vec())]
}

/// Logs why, and says no more than that to the component.
fn told(failed: &Failed) -> String {
    tracing::warn!(reason = failed.0, "a key-value store's database did not answer");
    FAILED.to_owned()
}

#[cfg(test)]
mod tests;
