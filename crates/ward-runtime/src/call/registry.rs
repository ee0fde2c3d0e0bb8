//! Who answers for a component id at this moment. Links and triggers hold a slot and look into it
//! at each call, never a component's revision itself: that is what lets one revision take the place
//! of another while everybody goes on calling.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Callee;

/// Every component's slot, by id.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    slots: BTreeMap<String, Arc<Slot>>,
}

impl Registry {
    /// An empty slot for each id.
    pub(crate) fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let slot = |id: &str| (id.to_owned(), Arc::new(Slot::new(id)));
        Self { slots: ids.into_iter().map(slot).collect() }
    }

    /// The slot of a component of this application.
    pub(crate) fn slot(&self, id: &str) -> Option<&Arc<Slot>> {
        self.slots.get(id)
    }
}

/// One component's place.
#[derive(Debug)]
pub(crate) struct Slot {
    id: String,
    current: RwLock<Option<Arc<Callee>>>,
}

impl Slot {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), current: RwLock::new(None) }
    }

    /// The component's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Who answers now; `None` only while the application is being loaded.
    pub(crate) fn current(&self) -> Option<Arc<Callee>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From here on `callee` answers. Calls that have begun end where they began.
    pub(crate) fn put(&self, callee: Arc<Callee>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(callee);
    }
}
