//! What a broken or hostile server could send: decoding gives an error or a value, never a panic.

use proptest::prelude::*;

use super::{Codec, decode};

const ALL: &[Codec] = &[
    Codec::Bool,
    Codec::Char,
    Codec::Int2,
    Codec::Int4,
    Codec::Int8,
    Codec::Float4,
    Codec::Float8,
    Codec::Text,
    Codec::Bytes,
    Codec::Date,
    Codec::Time,
    Codec::Timestamp,
    Codec::TimestampTz,
    Codec::Uuid,
    Codec::Jsonb,
    Codec::Numeric,
    Codec::Int4Range,
    Codec::Int8Range,
    Codec::NumericRange,
    Codec::Int4Array,
    Codec::Int8Array,
    Codec::NumericArray,
    Codec::TextArray,
    Codec::Interval,
    Codec::Other,
];

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
        for codec in ALL {
            drop(decode(*codec, Some(&raw)));
        }
    }

    #[test]
    fn any_numeric_head_is_decoded_or_refused(
        weight in any::<i16>(),
        scale in 0..=20_000_u16,
        groups in proptest::collection::vec(0..10_000_u16, 0..5),
    ) {
        let mut raw = Vec::new();
        raw.extend_from_slice(&(groups.len() as u16).to_be_bytes());
        raw.extend_from_slice(&weight.to_be_bytes());
        raw.extend_from_slice(&[0, 0]);
        raw.extend_from_slice(&scale.to_be_bytes());
        groups.iter().for_each(|group| raw.extend_from_slice(&group.to_be_bytes()));
        drop(decode(Codec::Numeric, Some(&raw)));
    }
}
