//! Protobuf's encoding, one level above bytes: varints, tags, lengths. Knows no types. Every read
//! is checked against what is left, so nothing here can reach past the end.

use crate::DecodeError;
use crate::plan::Wire;

const SHORT: DecodeError = whole("ends in the middle of a field");
const VARINT: DecodeError = whole("has a number that is longer than 64 bits");
const TAG: DecodeError = whole("has a field without a valid number");
const GROUP: DecodeError = whole("has a group, which protobuf no longer has");

/// A fault of the message itself, outside any field.
const fn whole(reason: &'static str) -> DecodeError {
    DecodeError { field: String::new(), reason }
}

/// What is left of a message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next field's number and layout; `None` at the end.
    pub(crate) fn tag(&mut self) -> Result<Option<(u32, Wire)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = u32::try_from(self.varint()?).map_err(|_| TAG)?;
        let wire = match tag & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Bytes,
            5 => Wire::Fixed32,
            3 | 4 => return Err(GROUP),
            _ => return Err(TAG),
        };
        match tag >> 3 {
            0 => Err(TAG),
            number => Ok(Some((number, wire))),
        }
    }

    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte has room for one bit.
            if index == 9 && byte > 1 {
                return Err(VARINT);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { SHORT } else { VARINT })
    }

    /// A length and as many bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.varint()?).map_err(|_| SHORT)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn fixed32(&mut self) -> Result<[u8; 4], DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(crate) fn fixed64(&mut self) -> Result<[u8; 8], DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Passes over a field that is not known.
    pub(crate) fn skip(&mut self, wire: Wire) -> Result<(), DecodeError> {
        match wire {
            Wire::Varint => self.varint().map(drop),
            Wire::Fixed64 => self.fixed64().map(drop),
            Wire::Bytes => self.bytes().map(drop),
            Wire::Fixed32 => self.fixed32().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<u64, DecodeError>) {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.varint(), expected);
        assert!(expected.is_err() || reader.is_empty());
    }

    #[test]
    fn varints() {
        check(&[0], Ok(0));
        check(&[0x7f], Ok(127));
        check(&[0x80, 1], Ok(128));
        check(&[0x80, 0x80, 0], Ok(0));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Ok(u64::MAX));
    }

    #[test]
    fn varints_that_are_none() {
        check(&[], Err(SHORT));
        check(&[0x80], Err(SHORT));
        check(&[0xff; 9], Err(SHORT));
        check(&[0xff; 10], Err(VARINT));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], Err(VARINT));
    }

    #[test]
    fn tags() {
        let tag = |bytes: &[u8]| Reader::new(bytes).tag();
        assert_eq!(tag(&[]), Ok(None));
        assert_eq!(tag(&[0x0a]), Ok(Some((1, Wire::Bytes))));
        assert_eq!(tag(&[0xfd, 0xff, 0xff, 0xff, 0x0f]), Ok(Some((0x1fff_ffff, Wire::Fixed32))));
        assert_eq!(tag(&[0x02]), Err(TAG));
        assert_eq!(tag(&[0x0e]), Err(TAG));
        assert_eq!(tag(&[0x80, 0x80, 0x80, 0x80, 0x10]), Err(TAG));
        assert_eq!(tag(&[0x0b]), Err(GROUP));
        assert_eq!(tag(&[0x0c]), Err(GROUP));
    }

    #[test]
    fn lengths_stay_inside() {
        let bytes = |bytes: &'static [u8]| Reader::new(bytes).bytes();
        assert_eq!(bytes(&[2, 1, 2, 3]), Ok(&[1, 2][..]));
        assert_eq!(bytes(&[3, 1, 2]), Err(SHORT));
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(Reader::new(&longest).bytes(), Err(SHORT));
        assert_eq!(Reader::new(&[1, 2, 3]).fixed32(), Err(SHORT));
        assert_eq!(Reader::new(&[1; 7]).fixed64(), Err(SHORT));
    }
}
