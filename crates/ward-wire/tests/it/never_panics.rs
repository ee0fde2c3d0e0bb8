//! Bytes that nobody wrote: they are read or refused, and what is read can be written.

use proptest::prelude::*;
use ward_wire::Message;

use crate::tools::message;

/// One of everything, nested.
pub(crate) const EVERYTHING: &str = "
    enum e { a, b } flags f { x, y, z } record s { a: string, e: option<e>, l: list<s8> }
    variant v { n, t(string), s(s), l(list<u32>), p(tuple<char, f32>) }
    record r { a: bool, b: u8, c: s64, d: f64, e: list<u8>, f: f, g: s, h: option<s>, i: list<s>,
      j: option<v>, k: list<v>, l: list<list<u16>>, m: list<f64>, n: list<e>, o: option<f>,
      p: list<result<u32, s>>, q: list<tuple<string, string>> }";

fn check(message: &Message, bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(value) = message.decode(bytes) else { return Ok(()) };
    let mut out = Vec::new();
    prop_assert!(message.encode(&value, &mut out).is_ok());
    let again = message.decode(&out);
    // Compared in words, because NaN is not equal to itself.
    prop_assert_eq!(format!("{:?}", again.unwrap()), format!("{:?}", value));
    prop_assert!(message.to_json(&value).is_ok());
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        check(&message(EVERYTHING), &bytes)?;
    }

    /// Tags that exist, so that more than the first byte is read.
    #[test]
    fn plausible_bytes(fields in proptest::collection::vec(
        (1u8..18, 0u8..6, proptest::collection::vec(0u8..24, 0..12)), 0..12)
    ) {
        let mut bytes = Vec::new();
        for (number, wire, content) in fields {
            prost::encoding::encode_varint(u64::from(number) << 3 | u64::from(wire), &mut bytes);
            if wire == 2 {
                bytes.push(content.len() as u8);
            }
            bytes.extend(content);
        }
        check(&message(EVERYTHING), &bytes)?;
    }

    #[test]
    fn any_json(text in r#"\{("[a-z]":(1|"x"|null|\[\]|\[\{\}\]|\{("[a-z]":2)?\}),?){0,4}\}"#) {
        if let Ok(json) = serde_json::from_str(&text) {
            let message = message(EVERYTHING);
            if let Ok(value) = message.from_json(&json) {
                prop_assert!(message.to_json(&value).is_ok());
            }
        }
    }
}
