//! Everything that is wrong with a request, told at once, by the names of the interface.

use crate::bindings::pms::common::types::{Error, FieldViolation};

/// What was wrong so far.
#[derive(Default)]
pub(super) struct Violations(Vec<FieldViolation>);

impl Violations {
    /// The value of a field, or a note of what is wrong with it.
    pub(super) fn take<T>(&mut self, field: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|description| self.note(field, description)).ok()
    }

    /// Makes what was taken a whole: `Ok` if nothing was wrong, otherwise all of it.
    pub(super) fn whole<T>(self, value: Option<T>) -> Result<T, Error> {
        match value.filter(|_| self.0.is_empty()) {
            Some(value) => Ok(value),
            None => Err(Error::InvalidArgument(self.0)),
        }
    }

    /// The value of the only field there is.
    pub(super) fn single<T>(field: &str, value: Result<T, String>) -> Result<T, Error> {
        let mut violations = Self::default();
        let value = violations.take(field, value);
        violations.whole(value)
    }

    fn note(&mut self, field: &str, description: String) {
        self.0.push(FieldViolation { field: field.to_owned(), description });
    }
}
