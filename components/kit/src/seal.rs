//! Sealed positions: where the next page of a list goes on.
//!
//! The position has to travel, because the row may be another one by the time the next page is
//! asked for; and links are kept in logs and histories, where a name must not stand. So it is
//! encrypted (XChaCha20-Poly1305), together with the question that it belongs to, and padded,
//! because lengths tell things too. Lists by an id or a number that never changes do the same: no
//! link is believed that was not made here. The key is the service's own, in its database: every
//! replica has the same, and whoever reads it there could read the rows as well.

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::database::{Database, Fault, Row};

/// Length of the nonce in front. So long a one can be drawn at random for ever.
const NONCE_BYTES: usize = 24;
/// Positions are padded to multiples of this: an id and most names fit into two.
const BLOCK_BYTES: usize = 64;

thread_local! {
    /// The seal of the instance's service, read once in its life.
    static OWN: RefCell<Option<Rc<Seal>>> = const { RefCell::new(None) };
}

/// What positions are sealed with.
pub struct Seal(XChaCha20Poly1305);

impl Seal {
    /// The seal of the service whose database this opens, which has a table `page_key`. The
    /// database is opened only where the instance has not read the key yet.
    pub async fn own(
        database: impl Future<Output = Result<Database, Fault>>,
    ) -> Result<Rc<Self>, Fault> {
        if let Some(seal) = OWN.with_borrow(Option::clone) {
            return Ok(seal);
        }
        let database = database.await?;
        let mut rows = read(&database).await?;
        // Of two who make the first key one does, and the other has looked before that was there.
        if rows.is_empty() {
            rows = read(&database).await?;
        }
        let key: Option<Vec<u8>> = rows.first().map(|row| row.get(0)).transpose()?;
        let seal = key.and_then(|key| Self::new(&key)).map(Rc::new);
        let seal = seal.ok_or_else(|| Fault::Other("page-key".to_owned()))?;
        OWN.set(Some(Rc::clone(&seal)));
        Ok(seal)
    }

    /// The seal of a key of 32 bytes; `None` for any other length.
    pub fn new(key: &[u8]) -> Option<Self> {
        XChaCha20Poly1305::new_from_slice(key).ok().map(Self)
    }

    /// Seals a position, a text without the character 0, for this question: whatever has to be the
    /// same from page to page. `None` only where there is no randomness to be had.
    pub fn cursor(&self, position: &str, question: &str) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let mut padded = position.as_bytes().to_vec();
        padded.resize(padded.len().next_multiple_of(BLOCK_BYTES), 0);
        let payload = Payload { msg: &padded, aad: question.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// The position in a cursor that was sealed with this key for this question.
    pub fn position(&self, cursor: &str, question: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: question.as_bytes() };
        let padded = self.0.decrypt(&XNonce::from(*nonce), payload).ok()?;
        Some(String::from_utf8(padded).ok()?.trim_end_matches('\0').to_owned())
    }
}

async fn read(database: &Database) -> Result<Vec<Row>, Fault> {
    database.query(include_str!("seal.sql"), Vec::new()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seal(byte: u8) -> Seal {
        Seal::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn keys_have_one_length() {
        assert!(Seal::new(&[1; 31]).is_none());
        assert!(Seal::new(&[1; 33]).is_none());
    }

    #[test]
    fn neither_text_nor_length_shows() {
        let cursor = |text: &str| seal(1).cursor(text, "q").unwrap();
        assert_eq!(cursor("Ann").len(), cursor(&"Annabella".repeat(7)).len());
        assert_ne!(cursor("Ann"), cursor("Ann"));
        let bytes = URL_SAFE_NO_PAD.decode(cursor("Annabella")).unwrap();
        assert!(!bytes.windows(9).any(|part| part == b"Annabella"));
    }

    proptest! {
        #[test]
        fn positions_survive(at in "\\PC{0,80}", question in "\\PC{0,40}") {
            let cursor = seal(1).cursor(&at, &question).unwrap();
            prop_assert_eq!(seal(1).position(&cursor, &question), Some(at));
            prop_assert_eq!(seal(2).position(&cursor, &question), None);
        }

        #[test]
        fn another_question_is_refused(at in "\\PC{0,40}", one in "\\PC{0,9}", two in "\\PC{0,9}") {
            prop_assume!(one != two);
            prop_assert_eq!(seal(1).position(&seal(1).cursor(&at, &one).unwrap(), &two), None);
        }

        #[test]
        fn damage_is_refused(
            at in "[0-9a-f]{36}",
            place in 0usize..138,
            letter in "[A-Za-z0-9_-]",
        ) {
            let whole = seal(1).cursor(&at, "q").unwrap();
            let mut damaged = whole.clone();
            damaged.replace_range(place..=place, &letter);
            prop_assume!(damaged != whole);
            prop_assert_eq!(seal(1).position(&damaged, "q"), None);
            prop_assert_eq!(seal(1).position(&whole[..place], "q"), None);
        }

        #[test]
        fn never_panics(text in "\\PC{0,64}") {
            let _ = seal(1).position(&text, "");
        }
    }
}
