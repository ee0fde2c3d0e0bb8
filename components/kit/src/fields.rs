//! A JSON object's fields, taken one by one, with everything that is wrong collected.
//!
//! A caller takes the fields it knows and then calls [`Fields::finish`]: a client learns of all its
//! mistakes at once, fields nobody asked for included. Details say what is expected and never
//! repeat what was sent.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use crate::describe::{self, Kind};
use crate::problem::{FieldError, FieldPosition, VALIDATION};
use crate::{Problem, date, email, text, uuid};

/// Longest name of an unknown field that is repeated to the caller, in characters.
const POINTER_MAX_CHARS: usize = 64;
/// Most errors told at once; a document of a thousand unknown fields needs no thousand lines.
const ERRORS_MAX: usize = 50;

/// The fields of one object that have not been taken yet, and what was wrong with the others.
#[derive(Debug)]
pub struct Fields {
    left: Map<String, Value>,
    errors: Vec<FieldError>,
    /// The pointer to the object itself: empty for the outermost.
    within: String,
}

impl Fields {
    /// The fields of the document; 400 if it is not an object.
    pub fn new(document: Value) -> Result<Self, Problem> {
        match document {
            Value::Object(left) => Ok(Self::of(left, String::new())),
            _ => {
                let error = FieldError::at("", "must be an object");
                Err(Problem::new(VALIDATION).errors(vec![error]))
            }
        }
    }

    /// A required text of one line, of 1 to `max_chars` characters, by the rules of [`text`].
    pub fn text(&mut self, name: &str, max_chars: usize) -> Option<String> {
        describe::note(name, Kind::Line { max_chars });
        self.read(name, |given| text::line(given, max_chars))
    }

    /// A required text of one or more lines, of 1 to `max_chars` characters.
    pub fn lines(&mut self, name: &str, max_chars: usize) -> Option<String> {
        describe::note(name, Kind::Lines { max_chars });
        self.read(name, |given| text::lines(given, max_chars))
    }

    /// A required string, read by `parse`, whose error says what is expected.
    pub fn parsed<T, E: Into<String>>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        describe::note(name, Kind::Text);
        self.read(name, parse)
    }

    /// A required whole number, read by `parse`. `12.0` and `1e3` are none: money is not to be
    /// rounded by whoever reads it.
    pub fn integer<T, E: Into<String>>(
        &mut self,
        name: &str,
        parse: impl FnOnce(i64) -> Result<T, E>,
    ) -> Option<T> {
        describe::note(name, Kind::Integer);
        match self.left.remove(name) {
            None | Some(Value::Null) => self.fail(name, "is required"),
            Some(value) => match value.as_i64().map(parse) {
                Some(Ok(value)) => Some(value),
                Some(Err(detail)) => self.fail(name, detail),
                None => self.fail(name, "must be a whole number of 64 bits"),
            },
        }
    }

    /// A required `true` or `false`.
    pub fn truth(&mut self, name: &str) -> Option<bool> {
        describe::note(name, Kind::Truth);
        match self.left.remove(name) {
            Some(Value::Bool(truth)) => Some(truth),
            None | Some(Value::Null) => self.fail(name, "is required"),
            Some(_) => self.fail(name, "must be true or false"),
        }
    }

    /// A required object, whose fields `read` takes; what it leaves is unknown there.
    pub fn object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        if describe::is_asking() {
            describe::note_object(name, || {
                drop(read(&mut Self::of(Map::new(), self.pointer(name))))
            });
            return None;
        }
        let left = match self.left.remove(name) {
            Some(Value::Object(left)) => left,
            None | Some(Value::Null) => return self.fail(name, "is required"),
            Some(_) => return self.fail(name, "must be an object"),
        };
        let mut inner = Self::of(left, self.pointer(name));
        let value = read(&mut inner);
        inner.refuse_the_rest();
        let right = inner.errors.is_empty();
        self.errors.append(&mut inner.errors);
        value.filter(|_| right)
    }

    /// A required text taken as it is, of 1 to `max_bytes` bytes: for passwords, where every
    /// character counts.
    pub fn secret(&mut self, name: &str, max_bytes: usize) -> Option<String> {
        describe::note(name, Kind::Secret { max_bytes });
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
        describe::note(name, Kind::Email);
        self.read(name, email::parse)
    }

    /// An e-mail address, or a text of nothing but white space where there is none.
    pub fn email_or_blank(&mut self, name: &str) -> Option<Option<String>> {
        describe::note(name, Kind::EmailOrBlank);
        self.read(name, |text| match text.trim().is_empty() {
            true => Ok(None),
            false => email::parse(text).map(Some),
        })
    }

    /// A required date, `yyyy-mm-dd`.
    pub fn date(&mut self, name: &str) -> Option<NaiveDate> {
        describe::note(name, Kind::Date);
        let text = self.string(name)?;
        date::parse(&text).or_else(|| self.fail(name, "must be a date, yyyy-mm-dd"))
    }

    /// A required moment, as answers have it.
    pub fn moment(&mut self, name: &str) -> Option<String> {
        self.parsed(name, date::moment)
    }

    /// The id of what is replaced, which may be left out.
    pub fn own_id(&mut self, id: &str) {
        let same = |given: &str| match uuid::parse(given) {
            Some(given) if given == id => Ok(()),
            _ => Err("must be the id of what is replaced, or left out"),
        };
        self.optional("id", |fields, name| fields.parsed(name, same));
    }

    /// A field that may be absent or null, and is otherwise read by `read`.
    pub fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Option<T>,
    ) -> Option<T> {
        if describe::is_asking() {
            describe::note_optional(|| drop(read(self, name)));
            return None;
        }
        match self.left.get(name) {
            None => None,
            Some(Value::Null) => {
                self.left.remove(name);
                None
            }
            Some(_) => read(self, name),
        }
    }

    /// A field of answers, which may be sent back and says nothing.
    pub fn pass_over(&mut self, name: &str) {
        describe::note_optional(|| describe::note(name, Kind::PassedOver));
        self.left.remove(name);
    }

    /// Says that a field is wrong. `None`, so that it can end an expression.
    pub fn fail<T>(&mut self, name: &str, detail: impl Into<String>) -> Option<T> {
        let place = FieldPosition::Pointer(self.pointer(name));
        self.errors.push(FieldError { place, detail: detail.into() });
        None
    }

    /// `Ok` if nothing was wrong and nothing is left over; otherwise all of it.
    pub fn finish(mut self) -> Result<(), Problem> {
        self.refuse_the_rest();
        if self.errors.is_empty() {
            return Ok(());
        }
        self.errors.truncate(ERRORS_MAX);
        Err(Problem::new(VALIDATION)
            .detail("The fields named in errors have to be corrected.")
            .errors(self.errors))
    }

    fn of(left: Map<String, Value>, within: String) -> Self {
        Self { left, errors: Vec::new(), within }
    }

    /// A required string, read by `parse`.
    fn read<T, E: Into<String>>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.string(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(detail) => self.fail(name, detail),
        }
    }

    /// The JSON pointer (RFC 6901) to a field of this object.
    fn pointer(&self, name: &str) -> String {
        let mut pointer = format!("{}/", self.within);
        for char in name.chars().take(POINTER_MAX_CHARS) {
            match char {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                other => pointer.push(other),
            }
        }
        pointer
    }

    fn refuse_the_rest(&mut self) {
        let unknown: Vec<String> = self.left.keys().take(ERRORS_MAX).cloned().collect();
        for name in unknown {
            self.fail::<()>(&name, "is not a field of this document");
        }
    }

    fn string(&mut self, name: &str) -> Option<String> {
        match self.left.remove(name) {
            Some(Value::String(text)) => Some(text),
            None | Some(Value::Null) => self.fail(name, "is required"),
            Some(_) => self.fail(name, "must be a string"),
        }
    }
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
        fields.optional("since", Fields::date);
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
        check(with("name", json!("a\nb")), &[("/name", "must be on one line")]);
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

    /// Takes an amount of 1 to 9 units from within the document.
    fn check_amount(document: Value, expected: Result<i64, &[(&str, &str)]>) {
        let mut fields = Fields::new(document.clone()).unwrap();
        let single = |value: i64| match value {
            1..=9 => Ok(value),
            _ => Err("must be from 1 to 9"),
        };
        let amount = fields.object("amount", |amount| {
            let units = amount.integer("units", single);
            let unit = amount.parsed("unit", |text| if text == "x" { Ok(()) } else { Err("?") });
            units.zip(unit).map(|(units, ())| units)
        });
        let found = match fields.finish() {
            Ok(()) => Ok(amount.unwrap()),
            Err(problem) => {
                let answer = problem.into_reply(&http::HeaderMap::new());
                let body: Value = serde_json::from_slice(&crate::reply::bytes(answer)).unwrap();
                Err(body["errors"].as_array().unwrap().clone())
            }
        };
        let expected = expected.map_err(|errors| {
            let error =
                |(pointer, detail): &(&str, &str)| json!({"pointer": pointer, "detail": detail});
            errors.iter().map(error).collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{document}");
    }

    #[test]
    fn objects_within() {
        let whole = "must be a whole number of 64 bits";
        let unknown = "is not a field of this document";
        check_amount(json!({"amount": {"units": 9, "unit": "x"}}), Ok(9));
        check_amount(json!({}), Err(&[("/amount", "is required")]));
        check_amount(json!({"amount": 9}), Err(&[("/amount", "must be an object")]));
        for units in [json!(1.0), json!(1e3), json!("1"), json!(u64::MAX), json!([])] {
            let document = json!({"amount": {"units": units, "unit": "x"}});
            check_amount(document, Err(&[("/amount/units", whole)]));
        }
        check_amount(
            json!({"amount": {"units": 10, "unit": "y", "a/b": 1}, "more": 1}),
            Err(&[
                ("/amount/units", "must be from 1 to 9"),
                ("/amount/unit", "?"),
                ("/amount/a~1b", unknown),
                ("/more", unknown),
            ]),
        );
        check_amount(
            json!({"amount": {"units": 1, "unit": "x", "more": 1}}),
            Err(&[("/amount/more", unknown)]),
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
