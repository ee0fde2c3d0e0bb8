//! A JSON object's fields, taken one by one, with everything that is wrong collected.
//!
//! A caller takes the fields it knows and then calls [`Fields::finish`]: a client learns of all its
//! mistakes at once, fields nobody asked for included. Details say what is expected and never
//! repeat what was sent.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use crate::problem::{FieldError, Place, VALIDATION};
use crate::{Problem, date, email};

/// Longest name of an unknown field that is repeated to the caller, in characters.
const POINTER_MAX_CHARS: usize = 64;
/// Most errors told at once; a document of a thousand unknown fields needs no thousand lines.
const ERRORS_MAX: usize = 50;

/// The fields of one object that have not been taken yet, and what was wrong with the others.
#[derive(Debug)]
pub struct Fields {
    left: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// The fields of the document; 400 if it is not an object.
    pub fn new(document: Value) -> Result<Self, Problem> {
        match document {
            Value::Object(left) => Ok(Self { left, errors: Vec::new() }),
            _ => {
                let place = Place::Pointer(String::new());
                let error = FieldError { place, detail: "must be an object".to_owned() };
                Err(Problem::new(VALIDATION).errors(vec![error]))
            }
        }
    }

    /// A required text of 1 to `max_chars` characters, without the white space around it and
    /// without control characters (a NUL would not even fit into the database).
    pub fn text(&mut self, name: &str, max_chars: usize) -> Option<String> {
        let text = self.string(name)?;
        let text = text.trim();
        match text.chars().count() {
            0 => self.fail(name, "must not be blank"),
            chars if chars > max_chars => {
                self.fail(name, format!("must be at most {max_chars} characters"))
            }
            _ if text.contains(char::is_control) => {
                self.fail(name, "must not contain control characters")
            }
            _ => Some(text.to_owned()),
        }
    }

    /// A required text taken as it is, of 1 to `max_bytes` bytes: for passwords, where every
    /// character counts.
    pub fn secret(&mut self, name: &str, max_bytes: usize) -> Option<String> {
        let text = self.string(name)?;
        match text.len() {
            0 => self.fail(name, "must not be empty"),
            bytes if bytes > max_bytes => {
                self.fail(name, format!("must be at most {max_bytes} bytes"))
            }
            _ => Some(text),
        }
    }

    /// A required e-mail address, by the rules of [`crate::email`].
    pub fn email(&mut self, name: &str) -> Option<String> {
        let text = self.text(name, email::MAX_CHARS)?;
        if email::is_valid(&text) {
            Some(text)
        } else {
            self.fail(name, "must be an e-mail address")
        }
    }

    /// A required date, `yyyy-mm-dd`.
    pub fn date(&mut self, name: &str) -> Option<NaiveDate> {
        let text = self.string(name)?;
        date::parse(&text).or_else(|| self.fail(name, "must be a date, yyyy-mm-dd"))
    }

    /// A date that may be absent or null.
    pub fn optional_date(&mut self, name: &str) -> Option<NaiveDate> {
        match self.left.get(name) {
            None => None,
            Some(Value::Null) => {
                self.left.remove(name);
                None
            }
            Some(_) => self.date(name),
        }
    }

    /// Says that a field is wrong. `None`, so that it can end an expression.
    pub fn fail<T>(&mut self, name: &str, detail: impl Into<String>) -> Option<T> {
        let place = Place::Pointer(pointer(name));
        self.errors.push(FieldError { place, detail: detail.into() });
        None
    }

    /// `Ok` if nothing was wrong and nothing is left over; otherwise all of it.
    pub fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<String> = self.left.keys().take(ERRORS_MAX).cloned().collect();
        for name in unknown {
            self.fail::<()>(&name, "is not a field of this document");
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        self.errors.truncate(ERRORS_MAX);
        Err(Problem::new(VALIDATION)
            .detail("The fields named in errors have to be corrected.")
            .errors(self.errors))
    }

    fn string(&mut self, name: &str) -> Option<String> {
        match self.left.remove(name) {
            Some(Value::String(text)) => Some(text),
            None | Some(Value::Null) => self.fail(name, "is required"),
            Some(_) => self.fail(name, "must be a string"),
        }
    }
}

/// The JSON pointer (RFC 6901) to a field of the outermost object.
fn pointer(name: &str) -> String {
    let mut pointer = String::from("/");
    for char in name.chars().take(POINTER_MAX_CHARS) {
        match char {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Takes name, email and born from the document; expects these pointers with these details.
    fn check(document: Value, expected: &[(&str, &str)]) {
        let mut fields = Fields::new(document.clone()).unwrap();
        fields.text("name", 5);
        fields.email("email");
        fields.date("born");
        fields.optional_date("since");
        fields.secret_if_present();
        let found = match fields.finish() {
            Ok(()) => Vec::new(),
            Err(problem) => {
                let answer = problem.into_reply(&http::HeaderMap::new());
                let body: Value = serde_json::from_slice(&crate::reply::bytes(answer)).unwrap();
                body["errors"].as_array().unwrap().clone()
            }
        };
        let expected: Vec<Value> = expected
            .iter()
            .map(|(pointer, detail)| json!({"pointer": pointer, "detail": detail}))
            .collect();
        assert_eq!(found, expected, "{document}");
    }

    impl Fields {
        fn secret_if_present(&mut self) {
            if self.left.contains_key("secret") {
                self.secret("secret", 3);
            }
        }
    }

    fn with(name: &str, value: Value) -> Value {
        let mut document = json!({"name": "Ann", "email": "a@b.cd", "born": "2000-01-01"});
        document[name] = value;
        document
    }

    #[test]
    fn one_field_at_a_time() {
        check(with("name", json!("Ann")), &[]);
        check(with("name", json!("  Anné€  ")), &[]);
        check(with("name", json!("Annabe")), &[("/name", "must be at most 5 characters")]);
        check(with("name", json!(" \t ")), &[("/name", "must not be blank")]);
        check(with("name", json!("a\0b")), &[("/name", "must not contain control characters")]);
        check(with("name", json!(1)), &[("/name", "must be a string")]);
        check(with("name", Value::Null), &[("/name", "is required")]);
        check(with("email", json!("nobody")), &[("/email", "must be an e-mail address")]);
        check(with("born", json!("2000-02-30")), &[("/born", "must be a date, yyyy-mm-dd")]);
        check(with("since", Value::Null), &[]);
        check(with("since", json!("2000-01-01")), &[]);
        check(with("since", json!(2000)), &[("/since", "must be a string")]);
        check(with("secret", json!(" \0 ")), &[]);
        check(with("secret", json!("")), &[("/secret", "must not be empty")]);
        check(with("secret", json!("abcd")), &[("/secret", "must be at most 3 bytes")]);
        check(with("x/y~", json!(1)), &[("/x~1y~0", "is not a field of this document")]);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        check(
            json!({"email": 1, "born": "soon", "id": 7}),
            &[
                ("/name", "is required"),
                ("/email", "must be a string"),
                ("/born", "must be a date, yyyy-mm-dd"),
                ("/id", "is not a field of this document"),
            ],
        );
    }

    #[test]
    fn only_objects_have_fields() {
        for document in [json!([]), json!("x"), json!(1), Value::Null] {
            assert_eq!(Fields::new(document).unwrap_err().kind(), VALIDATION);
        }
    }

    #[test]
    fn the_answer_stays_small() {
        let many = (0..10_000).map(|n| (format!("{n}{}", "x".repeat(99)), Value::Null)).collect();
        let answer = Fields::new(Value::Object(many)).unwrap().finish().unwrap_err();
        let body = crate::reply::bytes(answer.into_reply(&http::HeaderMap::new()));
        assert!(body.len() < 10_000);
    }
}
