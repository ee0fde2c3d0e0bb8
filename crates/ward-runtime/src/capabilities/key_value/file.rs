//! Key-value stores on disk: one redb file per store label, one table in it. A write has reached
//! the disk when its call returns. redb blocks, so all of its work runs on the blocking threads.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::{
    Database, ReadOnlyTable, ReadableDatabase, StorageError, Table, TableDefinition, TableError,
};

use super::limits::KEYS_BATCH;

const PAIRS: TableDefinition<&str, &[u8]> = TableDefinition::new("pairs");

type Readable = ReadOnlyTable<&'static str, &'static [u8]>;
type Writable<'a> = Table<'a, &'static str, &'static [u8]>;

/// redb's page cache per store. Its default of 1 GiB suits a database; these stores hold settings
/// and sessions, and Ward promises to stay small when idle.
const CACHE_BYTES: usize = 8 << 20;

/// One open store.
#[derive(Clone)]
pub(crate) struct StoreFile {
    database: Arc<Database>,
}

impl StoreFile {
    /// Opens the file, which is made if it is not there. redb allows one handle of a file.
    pub(super) fn create(path: &Path) -> Result<Self, redb::Error> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path)?;
        Ok(StoreFile { database: Arc::new(database) })
    }

    /// The value of `key`, if it has one.
    pub(super) async fn get(&self, key: String) -> Result<Option<Vec<u8>>, String> {
        self.read(move |table| Ok(table.get(key.as_str())?.map(|value| value.value().to_vec())))
            .await
            .map(Option::flatten)
    }

    /// Whether `key` has a value.
    pub(super) async fn exists(&self, key: String) -> Result<bool, String> {
        self.read(move |table| Ok(table.get(key.as_str())?.is_some()))
            .await
            .map(|found| found.unwrap_or(false))
    }

    /// Sets `key` to `value`; on disk when this returns.
    pub(super) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), String> {
        self.write(move |table| table.insert(key.as_str(), value.as_slice()).map(drop)).await
    }

    /// Removes `key`, if it is there; on disk when this returns.
    pub(super) async fn delete(&self, key: String) -> Result<(), String> {
        self.write(move |table| table.remove(key.as_str()).map(drop)).await
    }

    /// All keys as they are now, whatever is written while they are read.
    pub(super) async fn keys(&self) -> Result<Keys, String> {
        let database = self.database.clone();
        let table = blocking(move || open_table(&database).map_err(text)).await?;
        Ok(Keys { table: table.map(Arc::new), after: None })
    }

    async fn read<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Readable) -> Result<R, StorageError> + Send + 'static,
    ) -> Result<Option<R>, String> {
        let database = self.database.clone();
        blocking(move || match open_table(&database).map_err(text)? {
            Some(table) => work(&table).map(Some).map_err(text),
            None => Ok(None),
        })
        .await
    }

    async fn write(
        &self,
        work: impl FnOnce(&mut Writable<'_>) -> Result<(), StorageError> + Send + 'static,
    ) -> Result<(), String> {
        let database = self.database.clone();
        blocking(move || {
            // redb's default durability is immediate: commit returns after the fsync.
            let transaction = database.begin_write().map_err(text)?;
            work(&mut transaction.open_table(PAIRS).map_err(text)?).map_err(text)?;
            transaction.commit().map_err(text)
        })
        .await
    }
}

/// A listing of keys: a snapshot, read in batches so that a long one never sits in memory.
pub(crate) struct Keys {
    table: Option<Arc<Readable>>,
    after: Option<String>,
}

impl Keys {
    /// The next keys, in order, at most [`KEYS_BATCH`]; none at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<String>, String> {
        let Some(table) = self.table.clone() else { return Ok(Vec::new()) };
        let after = self.after.take();
        let keys = blocking(move || batch(&table, after.as_deref()).map_err(text)).await?;
        self.after = keys.last().cloned();
        if self.after.is_none() {
            self.table = None;
        }
        Ok(keys)
    }
}

fn batch(table: &Readable, after: Option<&str>) -> Result<Vec<String>, StorageError> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    table
        .range::<&str>((from, Bound::Unbounded))?
        .take(KEYS_BATCH)
        .map(|pair| pair.map(|(key, _)| key.value().to_owned()))
        .collect()
}

/// The table as of now; `None` before the first write has made it.
fn open_table(database: &Database) -> Result<Option<Readable>, redb::Error> {
    match database.begin_read()?.open_table(PAIRS) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the component is told. redb's messages speak of pages and files, not of keys or values.
fn text(error: impl std::fmt::Display) -> String {
    format!("key-value store failed: {error}")
}

pub(super) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, String> + Send + 'static,
) -> Result<R, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err("key-value store failed: its worker stopped".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pairs_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        for round in 0..2 {
            let store = StoreFile::create(&directory.path().join("kv/default.redb")).unwrap();
            if round == 0 {
                store.set("k".into(), vec![0, 255]).await.unwrap();
            }
            assert_eq!(store.get("k".into()).await, Ok(Some(vec![0, 255])));
        }
    }

    #[tokio::test]
    async fn keys_come_in_batches_from_one_snapshot() {
        let directory = tempfile::tempdir().unwrap();
        let store = StoreFile::create(&directory.path().join("default.redb")).unwrap();
        let transaction = store.database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(PAIRS).unwrap();
            for n in 0..=KEYS_BATCH {
                table.insert(format!("{n:04}").as_str(), [].as_slice()).unwrap();
            }
        }
        transaction.commit().unwrap();

        let mut keys = store.keys().await.unwrap();
        let mut all = keys.next().await.unwrap();
        assert_eq!(all.len(), KEYS_BATCH);
        store.set("9999".into(), vec![]).await.unwrap();
        all.extend(keys.next().await.unwrap());
        assert_eq!(keys.next().await, Ok(vec![]));
        let expected: Vec<String> = (0..=KEYS_BATCH).map(|n| format!("{n:04}")).collect();
        assert_eq!(all, expected);
    }
}
