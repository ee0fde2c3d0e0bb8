//! The stores of the process: where each label's is, and one of either kind as whoever uses it sees
//! it. What both kinds promise is in `laws_tests.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ward_postgres::Address;

use super::file::{self, StoreFile, blocking};
use super::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use super::shared::SharedStore;

/// Where a store is kept.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In this file, for this process alone.
    File(PathBuf),
    /// In the database of this address, for all wards that are given it.
    Shared(Arc<Address>),
}

/// All stores of the process. One is opened when somebody first asks for it.
pub(crate) struct KeyValueService(BTreeMap<String, Label>);

struct Label {
    name: String,
    place: Place,
    opened: OnceLock<Store>,
    /// Held while it is opened, so that two first users do not both try to.
    opening: Mutex<()>,
}

impl KeyValueService {
    /// `places`: every label that there is.
    pub(crate) fn new(places: BTreeMap<String, Place>) -> Arc<Self> {
        let label = |(name, place): (String, Place)| {
            let (opened, opening) = (OnceLock::new(), Mutex::default());
            (name.clone(), Label { name, place, opened, opening })
        };
        Arc::new(Self(places.into_iter().map(label).collect()))
    }

    /// Whether there is a store of this label.
    pub(crate) fn knows(&self, label: &str) -> bool {
        self.0.contains_key(label)
    }

    /// The store `label`, or `None` when no configuration knows it. Every open of one label in the
    /// process gives the same store.
    ///
    /// # Errors
    /// The text names the label and the cause, never a key or value.
    pub(crate) async fn open(self: &Arc<Self>, label: &str) -> Result<Option<Store>, String> {
        let Some(known) = self.0.get(label) else { return Ok(None) };
        if let Some(store) = known.opened.get() {
            return Ok(Some(store.clone()));
        }
        let (service, label) = (self.clone(), label.to_owned());
        blocking(move || service.0.get(&label).map(Label::open).transpose()).await
    }
}

impl Label {
    fn open(&self) -> Result<Store, String> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = self.opened.get() {
            return Ok(store.clone());
        }
        let store = match &self.place {
            Place::File(path) => Store::File(StoreFile::create(path).map_err(|error| {
                format!("key-value store `{}` cannot be opened: {error}", self.name)
            })?),
            Place::Shared(address) => {
                Store::Shared(Arc::new(SharedStore::new(address.clone(), &self.name)))
            }
        };
        Ok(self.opened.get_or_init(|| store).clone())
    }
}

/// One open store.
#[derive(Clone)]
pub(crate) enum Store {
    File(StoreFile),
    Shared(Arc<SharedStore>),
}

impl Store {
    /// The value of `key`, if it has one.
    pub(crate) async fn get(&self, key: String) -> Result<Option<Vec<u8>>, String> {
        match self {
            _ if key.len() > KEY_BYTES_MAX => Ok(None),
            Self::File(file) => file.get(key).await,
            Self::Shared(shared) => shared.get(&key).await,
        }
    }

    /// Whether `key` has a value.
    pub(crate) async fn exists(&self, key: String) -> Result<bool, String> {
        match self {
            _ if key.len() > KEY_BYTES_MAX => Ok(false),
            Self::File(file) => file.exists(key).await,
            Self::Shared(shared) => shared.exists(&key).await,
        }
    }

    /// Sets `key` to `value`, which is durable when this returns.
    ///
    /// # Errors
    /// One of them is too long, or the store failed.
    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), String> {
        if key.len() > KEY_BYTES_MAX {
            return Err(format!("the key is longer than {KEY_BYTES_MAX} bytes"));
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(format!("the value is longer than {VALUE_BYTES_MAX} bytes"));
        }
        match self {
            Self::File(file) => file.set(key, value).await,
            Self::Shared(shared) => shared.set(key, value).await,
        }
    }

    /// Removes `key`, if it is there; that is durable when this returns.
    pub(crate) async fn delete(&self, key: String) -> Result<(), String> {
        match self {
            _ if key.len() > KEY_BYTES_MAX => Ok(()),
            Self::File(file) => file.delete(key).await,
            Self::Shared(shared) => shared.delete(key).await,
        }
    }

    /// All keys in order. What is there throughout comes once; what is written meanwhile may come
    /// or not.
    pub(crate) async fn keys(&self) -> Result<Keys, String> {
        Ok(match self {
            Self::File(file) => Keys::File(file.keys().await?),
            Self::Shared(shared) => Keys::Shared { store: shared.clone(), after: None },
        })
    }
}

/// A listing of keys, read in batches so that a long one never sits in memory.
pub(crate) enum Keys {
    File(file::Keys),
    Shared { store: Arc<SharedStore>, after: Option<String> },
}

impl Keys {
    /// The next keys, in order; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Vec<String>, String> {
        match self {
            Self::File(keys) => keys.next().await,
            Self::Shared { store, after } => {
                let keys = store.keys(after.clone()).await?;
                if let Some(last) = keys.last() {
                    *after = Some(last.clone());
                }
                Ok(keys)
            }
        }
    }
}

impl fmt::Debug for KeyValueService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyValueService").field(&self.0.keys()).finish()
    }
}

/// A store as the host itself reads it, for those who check what a component has written.
#[derive(Debug, Clone)]
pub struct KeyValueStore {
    service: Arc<KeyValueService>,
    label: Arc<str>,
}

impl KeyValueStore {
    pub(crate) fn new(service: Arc<KeyValueService>, label: &str) -> Option<Self> {
        service.knows(label).then(|| Self { service, label: label.into() })
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// The store cannot be asked; never with a key.
    pub async fn exists(&self, key: String) -> Result<bool, String> {
        match self.service.open(&self.label).await? {
            Some(store) => store.exists(key).await,
            None => Ok(false),
        }
    }
}
