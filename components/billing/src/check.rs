//! What is right for each field, whichever door it came through. An error says what is expected
//! and never what was found.

use kit::{email, text, uuid};

use crate::limits::{AMOUNT_MAX_MINOR_UNITS, DESCRIPTION_MAX_CHARS, NAME_MAX_CHARS};

/// A UUID in canonical form.
pub(crate) fn id(text: &str) -> Result<String, String> {
    uuid::parse(text).ok_or_else(|| "must be a UUID".to_owned())
}

/// What an entry is for, in one line.
pub(crate) fn description(given: &str) -> Result<String, String> {
    text::line(given, DESCRIPTION_MAX_CHARS)
}

/// An amount that can be booked.
pub(crate) fn minor_units(amount: i64) -> Result<i64, String> {
    match amount {
        1..=AMOUNT_MAX_MINOR_UNITS => Ok(amount),
        _ => Err(format!("must be from 1 to {AMOUNT_MAX_MINOR_UNITS}")),
    }
}

/// The code of a currency, by its form: the account says which one it has to be.
pub(crate) fn currency(text: &str) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    Err("must be a currency's code of three letters, such as EUR".to_owned())
}

/// A patient's name. It is checked and goes nowhere: see [`crate::service::open`].
pub(crate) fn name(given: &str) -> Result<String, String> {
    text::line(given, NAME_MAX_CHARS)
}

/// A patient's e-mail address. It is checked and goes nowhere, as the name.
pub(crate) fn email(given: &str) -> Result<String, String> {
    email::parse(given).map_err(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let check = |amount: i64, accepted: bool| {
            assert_eq!(minor_units(amount).is_ok(), accepted, "{amount}");
        };
        check(1, true);
        check(AMOUNT_MAX_MINOR_UNITS, true);
        check(0, false);
        check(-1, false);
        check(AMOUNT_MAX_MINOR_UNITS + 1, false);
        check(i64::MAX, false);
        check(i64::MIN, false);
    }

    #[test]
    fn texts() {
        let check = |found: Result<String, String>, accepted: bool| {
            assert_eq!(found.is_ok(), accepted, "{found:?}");
        };
        check(currency("EUR"), true);
        check(currency("eur"), false);
        check(currency("EURO"), false);
        check(currency("E€"), false);
        check(currency(""), false);
        check(description(&"é".repeat(DESCRIPTION_MAX_CHARS)), true);
        check(description(&"é".repeat(DESCRIPTION_MAX_CHARS + 1)), false);
        check(description(" "), false);
        check(description("a\nb"), false);
        check(description("a\u{200b}b"), false);
        check(name("\u{2800}"), false);
        check(name(&"é".repeat(NAME_MAX_CHARS)), true);
        check(name(&"é".repeat(NAME_MAX_CHARS + 1)), false);
        check(email(" a@b.cd "), true);
        check(email("a"), false);
        check(id("123E4567-e89b-12d3-a456-426614174000"), true);
        check(id("1"), false);
        assert_eq!(description(" a b ").unwrap(), "a b");
    }
}
