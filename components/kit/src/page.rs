//! Paging: how many, from where, and how the next page is linked.
//!
//! A cursor says where to go on and for which question it was made. The position itself is in it
//! and not only the row that was last: that row may have moved by the time the next page is asked
//! for. What is made here is opaque but not secret: it is checked against damage and against use
//! with another question, while forging one gains nothing that asking would not. It appears in
//! URLs, so only ids and numbers that never change are put into it; lists in order of anything else
//! [seal](crate::seal) their positions.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;

use crate::query::{self, Query};

/// Items on a page when nobody says otherwise.
pub const LIMIT_DEFAULT: u32 = 50;
/// Most items on a page.
pub const LIMIT_MAX: u32 = 500;

/// Takes `limit` from the query: 1 to [`LIMIT_MAX`], or [`LIMIT_DEFAULT`] without it.
pub fn limit(query: &mut Query) -> Option<u32> {
    let Some(text) = query.take("limit") else { return Some(LIMIT_DEFAULT) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text.parse().ok().filter(|limit| digits && (1..=LIMIT_MAX).contains(limit));
    limit.or_else(|| query.fail("limit", format!("must be a number from 1 to {LIMIT_MAX}")))
}

/// Makes a cursor: `position` is where to go on (an id), `question` whatever has to be the same for
/// the cursor to make sense (the sort order and the filters).
pub fn cursor(position: &str, question: &str) -> String {
    let mut bytes = checksum(position, question).to_be_bytes().to_vec();
    bytes.extend_from_slice(position.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position in a cursor, if it is whole and was made for this question.
pub fn position(cursor: &str, question: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (sum, position) = bytes.split_first_chunk::<8>()?;
    let position = std::str::from_utf8(position).ok()?;
    (u64::from_be_bytes(*sum) == checksum(position, question)).then(|| position.to_owned())
}

/// `Link: <…>; rel="next"` (RFC 8288). `path` is ours; the pairs are escaped.
pub fn next_link(path: &str, pairs: &[(&str, &str)]) -> Option<HeaderValue> {
    let target = format!("<{path}?{}>; rel=\"next\"", query::encode(pairs));
    HeaderValue::try_from(target).ok()
}

/// FNV-1a, 64 bits, with a byte between the two parts that UTF-8 text cannot contain.
fn checksum(position: &str, question: &str) -> u64 {
    let bytes = position.bytes().chain([0xff]).chain(question.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits() {
        let check = |text: &str, expected: Option<u32>| {
            let mut query = Query::parse(text).unwrap();
            assert_eq!(limit(&mut query), expected, "{text}");
            assert_eq!(query.finish().is_ok(), expected.is_some(), "{text}");
        };
        check("", Some(50));
        check("limit=1", Some(1));
        check("limit=500", Some(500));
        check("limit=0", None);
        check("limit=501", None);
        check("limit=-1", None);
        check("limit=%2B1", None);
        check("limit=", None);
        check("limit=ten", None);
        check("limit=99999999999", None);
    }

    #[test]
    fn links() {
        let link = next_link("/api/x", &[("name", "a>b \"é"), ("after", "c")]).unwrap();
        assert_eq!(link, "</api/x?name=a%3Eb%20%22%C3%A9&after=c>; rel=\"next\"");
    }

    proptest! {
        #[test]
        fn cursors_survive(at in "\\PC{0,40}", question in "\\PC{0,40}") {
            prop_assert_eq!(position(&cursor(&at, &question), &question), Some(at));
        }

        #[test]
        fn another_question_is_refused(at in "\\PC{0,40}", one in "\\PC{0,9}", two in "\\PC{0,9}") {
            prop_assume!(one != two);
            prop_assert_eq!(position(&cursor(&at, &one), &two), None);
        }

        #[test]
        fn damage_is_refused(
            at in "[0-9a-f-]{36}",
            place in 0usize..58,
            letter in "[A-Za-z0-9_-]",
        ) {
            let whole = cursor(&at, "q");
            let mut damaged = whole.clone();
            damaged.replace_range(place..=place, &letter);
            prop_assume!(damaged != whole);
            prop_assert_eq!(position(&damaged, "q"), None);
            prop_assert_eq!(position(&whole[..place], "q"), None);
        }

        #[test]
        fn never_panics(text in "\\PC{0,64}") {
            let _ = position(&text, "");
        }
    }
}
