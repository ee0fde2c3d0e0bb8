//! What stores promise, of either kind, against the real thing: a file, and PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::OnceCell;
use ward_embedded::{Ephemeral, Postgres};
use ward_postgres::Address;

use super::limits::{HELD_VALUE_BYTES_MAX, KEY_BYTES_MAX, KEYS_BATCH, VALUE_BYTES_MAX};
use super::store::{KeyValueService, KeyValueStore, Place, Store};

/// The services of one of each kind, each with a store that nobody else has.
struct Kinds {
    file: Arc<KeyValueService>,
    shared: Arc<KeyValueService>,
    _directory: TempDir,
}

/// One server for all tests. It ends with the process.
pub(super) async fn server() -> &'static Ephemeral {
    static SERVER: OnceCell<Ephemeral> = OnceCell::const_new();
    SERVER.get_or_init(|| async { Postgres::ephemeral().await.unwrap() }).await
}

impl Kinds {
    async fn new() -> Kinds {
        let directory = tempfile::tempdir().unwrap();
        let url = server().await.create_database().await.unwrap();
        let address = Arc::new(Address::parse(&url).unwrap());
        let service = |place| KeyValueService::new(BTreeMap::from([("default".to_owned(), place)]));
        Kinds {
            file: service(Place::File(directory.path().join("kv/default.redb"))),
            shared: service(Place::Shared(address)),
            _directory: directory,
        }
    }

    /// The store of each kind, with its name for messages.
    async fn stores(&self) -> [(&'static str, Store); 2] {
        let open = async |service: &Arc<KeyValueService>| service.open("default").await;
        let file = open(&self.file).await.unwrap().unwrap();
        let shared = open(&self.shared).await.unwrap().unwrap();
        [("file", file), ("shared", shared)]
    }
}

async fn all_keys(store: &Store) -> Vec<String> {
    let (mut keys, mut all) = (store.keys().await.unwrap(), Vec::new());
    loop {
        match keys.next().await.unwrap() {
            batch if batch.is_empty() => return all,
            batch => all.extend(batch),
        }
    }
}

#[tokio::test]
async fn what_is_set_is_there_until_it_is_removed() {
    for (kind, store) in Kinds::new().await.stores().await {
        let get = async |key: &str| store.get(key.to_owned()).await.unwrap();
        let exists = async |key: &str| store.exists(key.to_owned()).await.unwrap();
        assert!(get("k").await.is_none() && !exists("k").await, "{kind}");
        assert_eq!(all_keys(&store).await, Vec::<String>::new(), "{kind}");
        for value in [vec![0, 255], vec![], vec![7; HELD_VALUE_BYTES_MAX + 1], vec![1]] {
            store.set("k".into(), value.clone()).await.unwrap();
            assert_eq!(get("k").await, Some(value), "{kind}");
            assert!(exists("k").await, "{kind}");
        }
        store.delete("k".into()).await.unwrap();
        store.delete("never was".into()).await.unwrap();
        assert!(get("k").await.is_none() && !exists("k").await, "{kind}");
        store.set("k".into(), vec![2]).await.unwrap();
        assert_eq!(get("k").await, Some(vec![2]), "{kind}");
    }
}

#[tokio::test]
async fn keys_are_any_text_and_come_in_the_order_of_their_bytes() {
    for (kind, store) in Kinds::new().await.stores().await {
        let mut keys = ["", "a", "A", "a/b", "ä", "\0", "a\0b", "%", "'; DROP TABLE pair; --"];
        for key in keys {
            store.set(key.into(), key.into()).await.unwrap();
        }
        keys.sort_unstable();
        assert_eq!(all_keys(&store).await, keys, "{kind}");
        for key in keys {
            assert_eq!(store.get(key.into()).await.unwrap(), Some(key.into()), "{kind} {key:?}");
        }
    }
}

#[tokio::test]
async fn a_listing_has_what_is_there_throughout_once() {
    for (kind, store) in Kinds::new().await.stores().await {
        let key = |n: usize| format!("{n:04}");
        for n in 0..=KEYS_BATCH {
            store.set(key(n), vec![]).await.unwrap();
        }
        let mut keys = store.keys().await.unwrap();
        let mut all = keys.next().await.unwrap();
        assert_eq!(all.len(), KEYS_BATCH, "{kind}");
        store.delete(key(3)).await.unwrap();
        store.set(key(KEYS_BATCH), vec![1]).await.unwrap();
        store.set("0000x".into(), vec![]).await.unwrap();
        all.extend(keys.next().await.unwrap());
        assert_eq!(keys.next().await, Ok(vec![]), "{kind}");
        assert_eq!(all, (0..=KEYS_BATCH).map(key).collect::<Vec<_>>(), "{kind}");
    }
}

#[tokio::test]
async fn a_key_and_a_value_have_a_greatest_length() {
    for (kind, store) in Kinds::new().await.stores().await {
        let (key, value) = ("k".repeat(KEY_BYTES_MAX), vec![7; VALUE_BYTES_MAX]);
        store.set(key.clone(), value.clone()).await.unwrap();
        assert_eq!(store.get(key.clone()).await.unwrap(), Some(value.clone()), "{kind}");
        let (long, more) = (format!("{key}k"), [value, vec![7]].concat());
        let told = store.set(long.clone(), vec![]).await.unwrap_err();
        assert_eq!(told, "the key is longer than 1024 bytes", "{kind}");
        let told = store.set("v".into(), more).await.unwrap_err();
        assert_eq!(told, "the value is longer than 1048576 bytes", "{kind}");
        // Nothing longer can be there.
        assert_eq!(store.get(long.clone()).await, Ok(None), "{kind}");
        assert_eq!(store.exists(long.clone()).await, Ok(false), "{kind}");
        assert_eq!(store.delete(long).await, Ok(()), "{kind}");
    }
}

#[tokio::test]
async fn all_openers_have_one_store_and_an_unknown_label_is_none() {
    let kinds = Kinds::new().await;
    for service in [&kinds.file, &kinds.shared] {
        assert!(service.open("other").await.unwrap().is_none());
        let one = service.open("default").await.unwrap().unwrap();
        let two = service.open("default").await.unwrap().unwrap();
        one.set("k".into(), vec![1]).await.unwrap();
        assert_eq!(two.get("k".into()).await, Ok(Some(vec![1])));
        let host = KeyValueStore::new(service.clone(), "default").unwrap();
        assert_eq!(host.exists("k".into()).await, Ok(true));
        assert_eq!(host.exists("other".into()).await, Ok(false));
        assert!(KeyValueStore::new(service.clone(), "other").is_none());
    }
}

/// Many tasks at once, each on keys of its own, and each reads what it wrote.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_reads_what_was_written() {
    for (kind, store) in Kinds::new().await.stores().await {
        let writers = (0..8).map(|writer: u8| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..20u8 {
                    let key = format!("{writer}/{}", round % 3);
                    store.set(key.clone(), vec![round]).await.unwrap();
                    assert_eq!(store.get(key.clone()).await, Ok(Some(vec![round])), "{kind}");
                    store.delete(key.clone()).await.unwrap();
                    assert_eq!(store.exists(key).await, Ok(false), "{kind}");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    }
}
