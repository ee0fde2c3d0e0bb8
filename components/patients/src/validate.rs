//! What a client may send as a patient: every field checked, everything wrong told at once.
//!
//! Texts follow the rules of [`kit::text`]; of them only an address may have several lines.

use chrono::NaiveDate;
use kit::Problem;
use kit::fields::Fields;
use serde_json::Value;

/// Longest name, in characters.
const NAME_MAX_CHARS: usize = 100;
/// Longest address, in characters.
const ADDRESS_MAX_CHARS: usize = 255;

/// A patient as a client describes it: complete and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) address: String,
    pub(crate) date_of_birth: NaiveDate,
    /// When a patient is created it may be left out, and is then the day of creation. Later it
    /// cannot change: a replacement may repeat it or leave it out.
    pub(crate) registered_date: Option<NaiveDate>,
}

impl Draft {
    /// Checks a document. `today` is the last day on which anybody can have been born.
    pub(crate) fn from_document(document: Value, today: NaiveDate) -> Result<Self, Problem> {
        let mut fields = Fields::new(document)?;
        let name = fields.text("name", NAME_MAX_CHARS);
        let email = fields.email("email");
        let address = fields.lines("address", ADDRESS_MAX_CHARS);
        let date_of_birth = fields.date("dateOfBirth");
        if date_of_birth.is_some_and(|date| date > today) {
            fields.fail::<()>("dateOfBirth", "must not be in the future");
        }
        let registered_date = fields.optional_date("registeredDate");
        fields.finish()?;
        // A field is missing only after it failed, and then finish() has returned.
        let draft = || {
            Some(Self {
                name: name?,
                email: email?,
                address: address?,
                date_of_birth: date_of_birth?,
                registered_date,
            })
        };
        draft().ok_or_else(|| Problem::new(kit::problem::INTERNAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use http_body::Body;
    use serde_json::json;
    use std::task::{Context, Poll, Waker};

    fn valid() -> Value {
        json!({
            "name": " Ann Lee ",
            "email": "Ann@Example.com",
            "address": "1 Main St",
            "dateOfBirth": "2000-02-29",
            "registeredDate": "2024-01-01",
        })
    }

    fn day(text: &str) -> NaiveDate {
        kit::date::parse(text).unwrap()
    }

    /// The pointers of everything wrong with the document, on 2024-06-01.
    fn check(document: Value, expected: &[&str]) {
        let shown = document.to_string();
        let problem = match Draft::from_document(document, day("2024-06-01")) {
            Ok(_) => return assert!(expected.is_empty(), "{shown}"),
            Err(problem) => problem,
        };
        assert_eq!(problem.kind(), kit::problem::VALIDATION);
        let mut body = problem.into_reply(&HeaderMap::new()).into_body();
        let frame =
            std::pin::Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Some(Ok(frame))) = frame else { panic!("a body in memory is ready") };
        let body: Value = serde_json::from_slice(&frame.into_data().unwrap()).unwrap();
        let errors = body["errors"].as_array().unwrap();
        let found: Vec<&str> = errors.iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{shown}");
    }

    fn with(name: &str, value: impl Into<Value>) -> Value {
        let mut document = valid();
        document[name] = value.into();
        document
    }

    fn without(name: &str) -> Value {
        let mut document = valid();
        document.as_object_mut().unwrap().remove(name);
        document
    }

    #[test]
    fn a_valid_document() {
        let draft = Draft::from_document(valid(), day("2024-06-01")).unwrap();
        let expected = Draft {
            name: "Ann Lee".to_owned(),
            email: "Ann@Example.com".to_owned(),
            address: "1 Main St".to_owned(),
            date_of_birth: day("2000-02-29"),
            registered_date: Some(day("2024-01-01")),
        };
        assert_eq!(draft, expected);
    }

    #[test]
    fn limits() {
        check(with("name", "é".repeat(100)), &[]);
        check(with("name", "é".repeat(101)), &["/name"]);
        check(with("name", "  "), &["/name"]);
        check(with("name", "a\0b"), &["/name"]);
        check(with("address", "é".repeat(255)), &[]);
        check(with("address", "é".repeat(256)), &["/address"]);
        check(with("address", ""), &["/address"]);
        check(with("email", "ann"), &["/email"]);
        check(with("dateOfBirth", "2024-06-01"), &[]);
        check(with("dateOfBirth", "2024-06-02"), &["/dateOfBirth"]);
        check(with("dateOfBirth", "2023-02-29"), &["/dateOfBirth"]);
        check(with("registeredDate", "2024-02-30"), &["/registeredDate"]);
        check(with("registeredDate", Value::Null), &[]);
        check(without("registeredDate"), &[]);
        for name in ["name", "email", "address", "dateOfBirth"] {
            let pointer = format!("/{name}");
            check(without(name), &[&pointer]);
            check(with(name, Value::Null), &[&pointer]);
            check(with(name, 1), &[&pointer]);
        }
        check(with("id", "x"), &["/id"]);
        check(with("version", 1), &["/version"]);
    }

    #[test]
    fn everything_at_once() {
        let document = json!({"name": "", "email": "x", "dateOfBirth": "x", "registeredDate": 1,
            "nickname": "y"});
        let all = ["/name", "/email", "/address", "/dateOfBirth", "/registeredDate", "/nickname"];
        check(document, &all);
        check(json!({}), &["/name", "/email", "/address", "/dateOfBirth"]);
        check(json!([]), &[""]);
    }
}
