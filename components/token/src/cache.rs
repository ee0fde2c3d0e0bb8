//! The tokens that were good a moment ago. Verifying one costs 0.27 ms in wasm and a fifth of that
//! natively, looking one up here a few microseconds, and a client sends the same token again and
//! again.
//!
//! Keys are SHA-256 digests, so that no token lies about in memory for longer than its request.
//! An entry is as good as its token: expiry is checked at each look-up and never extended. Only
//! good tokens are kept, so that nobody can fill the cache with rubbish, and at most
//! [`ENTRIES_MAX`], of which the oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{CLOCK_LEEWAY_SECONDS, Identity};

/// Tokens kept by one instance of guard, or by one listener of the host: 1024 at about 200 bytes.
/// That is a thousand users within a token's life; with more, some are verified again.
const ENTRIES_MAX: usize = 1024;

/// The SHA-256 digest of a token.
pub(crate) type Key = [u8; 32];

/// The key of a token.
pub(crate) fn key(token: &str) -> Key {
    Sha256::digest(token.as_bytes()).into()
}

/// Verified tokens by [`Key`].
#[derive(Default)]
pub(crate) struct Cache {
    entries: HashMap<Key, Arc<Identity>>,
    /// The keys of `entries`, each once, oldest first.
    order: VecDeque<Key>,
}

impl Cache {
    /// Who the token speaks for, if it is known and still good at `now` (seconds of the Unix
    /// epoch).
    pub(crate) fn get(&self, key: &Key, now: u64) -> Option<Arc<Identity>> {
        let identity = self.entries.get(key)?;
        // A clock set back must not make a token good that was not issued yet.
        let issued = identity.issued_at <= now.saturating_add(CLOCK_LEEWAY_SECONDS);
        (issued && identity.is_current(now)).then(|| Arc::clone(identity))
    }

    /// Remembers a verified token, and forgets the oldest where there is no more room.
    pub(crate) fn insert(&mut self, key: Key, identity: Arc<Identity>) {
        if self.entries.insert(key, identity).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > ENTRIES_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{Role, Scopes};

    const ISSUED: u64 = 1_800_000_000;

    fn identity(expires_at: u64) -> Arc<Identity> {
        Arc::new(Identity {
            subject: Uuid::from_u128(1),
            role: Role::parse("ADMIN").unwrap(),
            scopes: Scopes::default(),
            session: Uuid::from_u128(3),
            token_id: Uuid::from_u128(2),
            issued_at: ISSUED,
            expires_at,
        })
    }

    #[test]
    fn an_entry_never_outlives_its_token() {
        let mut cache = Cache::default();
        cache.insert(key("a"), identity(ISSUED + 900));
        let cases = [
            (ISSUED - CLOCK_LEEWAY_SECONDS - 1, false),
            (ISSUED - CLOCK_LEEWAY_SECONDS, true),
            (ISSUED, true),
            (ISSUED + 909, true),
            (ISSUED + 910, false),
            (ISSUED + 911, false),
            (u64::MAX, false),
            (ISSUED + 1, true),
        ];
        for (now, found) in cases {
            assert_eq!(cache.get(&key("a"), now).is_some(), found, "{now}");
        }
        assert!(cache.get(&key("b"), ISSUED).is_none());
        assert!(cache.get(&key("A"), ISSUED).is_none());
    }

    #[test]
    fn the_oldest_entry_makes_room() {
        let mut cache = Cache::default();
        for n in 0..=ENTRIES_MAX {
            cache.insert(key(&n.to_string()), identity(ISSUED + 900));
        }
        assert_eq!((cache.entries.len(), cache.order.len()), (ENTRIES_MAX, ENTRIES_MAX));
        assert!(cache.get(&key("0"), ISSUED).is_none());
        assert!(cache.get(&key("1"), ISSUED).is_some());
        assert!(cache.get(&key(&ENTRIES_MAX.to_string()), ISSUED).is_some());
    }

    #[test]
    fn the_same_token_takes_one_place() {
        let mut cache = Cache::default();
        for _ in 0..3 {
            cache.insert(key("a"), identity(ISSUED + 900));
        }
        assert_eq!((cache.entries.len(), cache.order.len()), (1, 1));
    }
}
