//! A record's headers in one column: for each its name and its value, each after its length as four
//! bytes, the largest of which stands for no value. A row for each header would cost more than the
//! record does.

use crate::log::Headers;

/// The length of what is not there.
const NONE: u32 = u32::MAX;

/// The column's bytes.
pub(super) fn write(headers: &Headers) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        put(&mut bytes, Some(name.as_bytes()));
        put(&mut bytes, value.as_deref());
    }
    bytes
}

/// The bytes that a header of this name begins with.
pub(super) fn named(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, Some(name.as_bytes()));
    bytes
}

fn put(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    // A record is far smaller than what four bytes can say.
    let length = part.map_or(NONE, |part| u32::try_from(part.len()).unwrap_or(NONE));
    bytes.extend(length.to_be_bytes());
    bytes.extend(part.unwrap_or_default());
}

/// The headers; what is no column of ours has those that could be read.
pub(super) fn read(mut bytes: &[u8]) -> Headers {
    let mut headers = Headers::new();
    while let Some(Some(name)) = take(&mut bytes) {
        let Some(value) = take(&mut bytes) else { break };
        headers.push((String::from_utf8_lossy(name).into_owned(), value.map(<[u8]>::to_vec)));
    }
    headers
}

/// The next part; `None` at the end.
fn take<'b>(bytes: &mut &'b [u8]) -> Option<Option<&'b [u8]>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    match u32::from_be_bytes(*length) {
        NONE => Some(None),
        length => {
            let (part, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            *bytes = rest;
            Some(Some(part))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{read, write};

    proptest! {
        #[test]
        fn headers_come_back_as_they_were(
            headers in prop::collection::vec(
                (".{0,8}", prop::option::of(prop::collection::vec(any::<u8>(), 0..20))), 0..5),
        ) {
            prop_assert_eq!(read(&write(&headers)), headers);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            drop(read(&bytes));
        }
    }
}
