//! What a ward knows of a store that several share: which pairs there are, as of which version, and
//! until when that is believed. It is told what the database said and what time it is; it asks
//! nobody and waits for nothing.
//!
//! The database counts a store's changes, one at a time and in the order of their commits. So what
//! is known is all there was at one version, and it is right for as long as the version is. That is
//! asked again and again; an answer counts from when the question was sent. Nothing else makes
//! memory believed: that a connection lives says nothing of what has been committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::super::limits::{
    BELIEVED, HELD_BYTES_MAX, HELD_PAIR_BYTES, HELD_PAIRS_MAX, HELD_VALUE_BYTES_MAX, REMOVED_KEPT,
};

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing that may be believed now.
    Doubtful,
    /// There is no such key.
    Absent,
    /// It is there, with this value.
    Value(Arc<[u8]>),
    /// It is there, and its value is in the database alone.
    Long,
    /// Whether it is there is known in the database alone.
    Elsewhere,
}

/// A pair as the database has it, or that it is gone.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) version: i64,
    pub(super) key: Box<[u8]>,
    pub(super) content: Option<Content>,
}

/// What a key has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Value(Arc<[u8]>),
    /// A value that is too long to be held.
    Long,
}

impl Content {
    /// What of a value is held.
    pub(super) fn of(value: &[u8]) -> Self {
        match value.len() <= HELD_VALUE_BYTES_MAX {
            true => Self::Value(value.into()),
            false => Self::Long,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Value(value) => value.len(),
            Self::Long => 0,
        }
    }
}

/// The pairs that are held.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    held: HashMap<Box<[u8]>, Content>,
    bytes: usize,
    /// There are others.
    partial: bool,
}

impl Pairs {
    /// Takes a pair in, in the place of what its key had. Whether there was room.
    pub(super) fn put(&mut self, key: Box<[u8]>, content: Content) -> bool {
        self.remove(&key);
        let bytes = size(&key, &content);
        if self.held.len() >= HELD_PAIRS_MAX || self.bytes + bytes > HELD_BYTES_MAX {
            self.partial = true;
            return false;
        }
        self.bytes += bytes;
        self.held.insert(key, content);
        true
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some((key, content)) = self.held.remove_entry(key) {
            self.bytes -= size(&key, &content);
        }
    }

    /// Whether what did not fit once would fit now.
    fn could_be_whole(&self) -> bool {
        let small = self.held.len() < HELD_PAIRS_MAX / 2 && self.bytes < HELD_BYTES_MAX / 2;
        self.partial && small
    }
}

fn size(key: &[u8], content: &Content) -> usize {
    HELD_PAIR_BYTES + key.len() + content.bytes()
}

/// What is known of one store.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pairs: Pairs,
    /// The version that `pairs` are of; `None` before anything was read.
    version: Option<i64>,
    /// The newest version that this ward has made: it is not to be forgotten what it did itself.
    own: i64,
    /// When the question was sent whose answer said that this is all.
    proven: Option<Instant>,
}

impl Memory {
    /// What is known of `key` at `now`.
    pub(super) fn look(&self, key: &[u8], now: Instant) -> Known {
        let recent = self.proven.is_some_and(|at| now.saturating_duration_since(at) < BELIEVED);
        if !recent || self.version.is_none_or(|version| version < self.own) {
            return Known::Doubtful;
        }
        match self.pairs.held.get(key) {
            Some(Content::Value(value)) => Known::Value(value.clone()),
            Some(Content::Long) => Known::Long,
            None if self.pairs.partial => Known::Elsewhere,
            None => Known::Absent,
        }
    }

    /// The version after which changes are wanted; `None` where everything is.
    pub(super) fn since(&self) -> Option<i64> {
        self.version
    }

    /// Everything will be read anew: nothing is known until then.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Everything was read: `pairs` are those of `version`.
    pub(super) fn loaded(&mut self, version: i64, pairs: Pairs, asked: Instant) {
        (self.version, self.pairs, self.proven) = (Some(version), pairs, Some(asked));
    }

    /// The store was at `version`, and `changes` are all after `since`. Whether that could be
    /// followed; if not, everything has to be read.
    pub(super) fn changed(
        &mut self,
        (since, version): (i64, i64),
        changes: Vec<Change>,
        asked: Instant,
    ) -> bool {
        // A store goes back only where its database was put back, and then nothing is as it was.
        let Some(known) = self.version.filter(|_| follows(since, version)) else { return false };
        // Meanwhile this ward may have written, and know more than the answer.
        for change in changes.into_iter().filter(|change| change.version > known) {
            self.take(change.key, change.content);
        }
        self.version = Some(version.max(known));
        self.proven = Some(asked);
        !self.pairs.could_be_whole()
    }

    /// This ward wrote: `key` has `content` as of `version`.
    pub(super) fn wrote(&mut self, version: i64, key: &[u8], content: Option<Content>) {
        if self.version.is_some_and(|known| known + 1 == version) {
            self.take(key.into(), content);
            self.version = Some(version);
        } else {
            self.saw(version);
        }
    }

    /// This ward was told of `version`: what is older is doubtful.
    pub(super) fn saw(&mut self, version: i64) {
        self.own = self.own.max(version);
    }

    fn take(&mut self, key: Box<[u8]>, content: Option<Content>) {
        match content {
            None => self.pairs.remove(&key),
            Some(content) => _ = self.pairs.put(key, content),
        }
    }
}

/// Whether the database still knows all that happened between two versions.
pub(super) fn follows(since: i64, version: i64) -> bool {
    (0..=REMOVED_KEPT).contains(&(version - since))
}

#[cfg(test)]
mod tests;
