//! Sessions that have ended before their tokens: whoever ends one leaves a key in the default
//! key-value store, and whoever lets in callers looks for it there.
//!
//! The store is the component's own (middleware has it by `inherit_configuration`). How soon a key
//! is seen is for the host to say: Ward promises a second over all hosts that share a store, and a
//! store of one host is read as it is.

use std::cell::RefCell;
use std::rc::Rc;

use spin_sdk::key_value::{Error, Store};

/// Why it cannot be told whether a session has ended, as a log line has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown(pub &'static str);

impl From<Error> for Unknown {
    fn from(error: Error) -> Self {
        // The text of the last is the host's.
        Self(match error {
            Error::AccessDenied => "key-value-store-not-granted",
            Error::NoSuchStore => "no-key-value-store",
            Error::StoreTableFull => "key-value-store-table-full",
            Error::Other(_) => "key-value-store-failed",
        })
    }
}

thread_local! {
    /// Opened once for each instance: opening costs as much as asking.
    static STORE: RefCell<Option<Rc<Store>>> = const { RefCell::new(None) };
}

/// The key of a session that has ended; `session` is its id, a UUID in canonical form.
pub fn ended_key(session: &str) -> String {
    format!("revoked/{session}")
}

/// Whether this session has ended.
///
/// # Errors
/// The store cannot be asked. Nobody may be let in then.
pub async fn has_ended(session: &str) -> Result<bool, Unknown> {
    Ok(store().await?.exists(ended_key(session)).await?)
}

async fn store() -> Result<Rc<Store>, Unknown> {
    if let Some(store) = STORE.with_borrow(Clone::clone) {
        return Ok(store);
    }
    let opened = Rc::new(Store::open_default().await?);
    Ok(STORE.with_borrow_mut(|store| store.insert(opened).clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_has_nothing_of_the_hosts() {
        let unknown = Unknown::from(Error::Other("Jane Roe".to_owned()));
        assert_eq!(unknown, Unknown("key-value-store-failed"));
        assert_eq!(ended_key("s"), "revoked/s");
    }
}
