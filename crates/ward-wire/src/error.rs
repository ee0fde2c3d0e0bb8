//! What can go wrong, in words that hold no value of anyone: positions, names and reasons only.

use std::fmt;

/// A part of a contract that has no faithful form in protobuf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where in a source file, as `file:line:column`; unknown for contracts from a component.
    pub position: Option<String>,
    /// Where in the contract, such as `shop:orders/items.price.currency`.
    pub path: String,
    /// Why it is refused, and what would be taken instead.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for Refusal {}

/// Bytes or JSON that are no message of the expected type: the sender's mistake, in words for the
/// sender. Names a field, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    pub(crate) field: String,
    pub(crate) reason: &'static str,
}

impl DecodeError {
    pub(crate) fn new(reason: &'static str) -> DecodeError {
        DecodeError { field: String::new(), reason }
    }

    /// The same, seen from the message that has `name` as a field.
    pub(crate) fn within(mut self, name: &str) -> DecodeError {
        if !self.field.is_empty() && !self.field.starts_with('[') {
            self.field.insert(0, '.');
        }
        self.field.insert_str(0, name);
        self
    }

    /// The same, seen from the list whose element this is.
    pub(crate) fn at(self, index: usize) -> DecodeError {
        self.within(&format!("[{index}]"))
    }

    /// Which field, as the .proto file names it, with dots for nesting and brackets for an element
    /// of a list: `entries[3].amount.currency`. Empty for the message as a whole.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it, as the end of a sentence that begins with the field: `is not UTF-8`.
    pub fn reason(&self) -> &str {
        self.reason
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "the message {}", self.reason)
        } else {
            write!(f, "`{}` {}", self.field, self.reason)
        }
    }
}

impl std::error::Error for DecodeError {}

/// A value that is not of the type it is to be written as: a fault of whoever made it, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is not of the type that the contract declares")]
pub struct Mismatch;
