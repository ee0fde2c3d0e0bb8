//! The query string, read strictly: each parameter at most once, none that nobody asked for, valid
//! percent-encoding of UTF-8 without control characters.
//!
//! Parameters are taken one by one and [`Query::finish`] refuses what is left, as
//! [`crate::fields`] does for bodies: a misspelt filter must not silently list everybody.

use crate::Problem;
use crate::describe::{self, Kind};
use crate::problem::{BAD_REQUEST, FieldError, FieldPosition};

/// Longest query string read, in bytes: the longest link that we make ourselves, with every
/// character of its filters escaped and the longest sealed position, is two thirds of it.
const MAX_BYTES: usize = 8192;

const CONTROL: &str = "must not contain control characters, such as line breaks";

/// The parameters that have not been taken yet, and what was wrong with the others.
#[derive(Debug)]
pub struct Query {
    left: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Query {
    /// Reads `a=1&b=x%20y` (and `x+y`, as forms write it); 400 if it cannot be.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_BYTES {
            return Err(Problem::new(BAD_REQUEST).detail("The query string is too long."));
        }
        let mut query = Self { left: Vec::new(), errors: Vec::new() };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = decode(name).zip(decode(value)).ok_or_else(|| {
                Problem::new(BAD_REQUEST)
                    .detail("The query string is not valid percent-encoded UTF-8 text.")
            })?;
            if value.contains(char::is_control) {
                query.fail::<()>(&name, CONTROL);
            } else {
                query.left.push((name, value));
            }
        }
        Ok(query)
    }

    /// Whether a parameter is left.
    pub fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(found, _)| found == name)
    }

    /// Takes a parameter; to give it twice is an error.
    pub fn take(&mut self, name: &str) -> Option<String> {
        describe::note_optional(|| describe::note(name, Kind::Parameter));
        let at = self.left.iter().position(|(found, _)| found == name)?;
        let (_, value) = self.left.remove(at);
        if self.has(name) {
            self.left.retain(|(found, _)| found != name);
            return self.fail(name, "must be given once");
        }
        Some(value)
    }

    /// Says that a parameter is wrong. `None`, so that it can end an expression.
    pub fn fail<T>(&mut self, name: &str, detail: impl Into<String>) -> Option<T> {
        let place = FieldPosition::Parameter(name.to_owned());
        self.errors.push(FieldError { place, detail: detail.into() });
        None
    }

    /// `Ok` if nothing was wrong and nothing is left over; otherwise all of it.
    pub fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.left) {
            self.fail::<()>(&name, "is not a parameter of this resource");
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(refused(self.errors))
    }
}

/// 400 for one parameter that turned out wrong after all were read.
pub fn wrong(name: &str, detail: &str) -> Problem {
    refused(vec![FieldError::of_parameter(name, detail)])
}

fn refused(errors: Vec<FieldError>) -> Problem {
    Problem::new(BAD_REQUEST)
        .detail("The parameters named in errors have to be corrected.")
        .errors(errors)
}

/// Writes pairs as a query string that [`Query::parse`] reads back, and that needs no quoting in a
/// header.
pub fn encode(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        escape(name, &mut text);
        text.push('=');
        escape(value, &mut text);
    }
    text
}

fn escape(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit =
        |nibble: u8| DIGITS.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(left.next()?)? << 4 | hex(left.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes `a` and `b`; expects their values, or that this many things are wrong.
    fn check(text: &str, expected: Result<[Option<&str>; 2], usize>) {
        let found = Query::parse(text).map_err(|_| 1).and_then(|mut query| {
            let values = [query.take("a"), query.take("b")];
            let wrong = query.errors.len() + query.left.len();
            query.finish().map(|()| values).map_err(|_| wrong)
        });
        assert_eq!(found, expected.map(|values| values.map(|v| v.map(str::to_owned))), "{text}");
    }

    #[test]
    fn parameters() {
        check("", Ok([None, None]));
        check("a=1&b=x%20y", Ok([Some("1"), Some("x y")]));
        check("b=x+y%2B&&", Ok([None, Some("x y+")]));
        check("a", Ok([Some(""), None]));
        check("a=%C3%A9%e2%82%ac", Ok([Some("é€"), None]));
        check("a==1", Ok([Some("=1"), None]));
        check("a=1&a=1", Err(1));
        check("a=1&c=2&d=3", Err(2));
        check("a=%", Err(1));
        check("a=%4", Err(1));
        check("a=%zz", Err(1));
        check("a=%+1", Err(1));
        check("a=%ff", Err(1));
        check("a=%00", Err(1));
        check("a=%0a", Err(1));
        let longest = "x".repeat(MAX_BYTES - 2);
        check(&format!("a={longest}"), Ok([Some(&longest), None]));
        check(&format!("a={longest}x"), Err(1));
    }

    #[test]
    fn a_control_character_is_named_for_what_it_is() {
        for (text, parameter) in [("b=1&a=x%0Ay", "a"), ("b=%00", "b"), ("a=%C2%85", "a")] {
            let mut query = Query::parse(text).unwrap();
            query.take("a");
            query.take("b");
            let answer = query.finish().unwrap_err().into_reply(&http::HeaderMap::new());
            let body = crate::reply::bytes(answer);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let expected = serde_json::json!([{ "parameter": parameter, "detail": CONTROL }]);
            assert_eq!(body["errors"], expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn pairs_survive(a in "\\PC{0,40}", b in "\\PC{0,40}") {
            let text = encode(&[("a", &a), ("b", &b)]);
            let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"".contains(&byte);
            prop_assert!(text.bytes().all(plain));
            let mut query = Query::parse(&text).unwrap();
            prop_assert_eq!(query.take("a"), Some(a));
            prop_assert_eq!(query.take("b"), Some(b));
            prop_assert!(query.finish().is_ok());
        }

        #[test]
        fn never_panics(text in "\\PC{0,64}") {
            let _ = Query::parse(&text);
        }
    }
}
