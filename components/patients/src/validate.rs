//! What a client may send as a patient: every field checked, everything wrong told at once.
//!
//! Texts follow the rules of [`kit::text`]; of them only an address may have several lines.

use chrono::{Datelike, NaiveDate};
use kit::Problem;
use kit::email::Rule;
use kit::fields::Fields;
use serde_json::Value;
use spin_sdk::pg::ParameterValue;

/// Longest name, in characters.
const NAME_MAX_CHARS: usize = 100;
/// Longest address, in characters.
const ADDRESS_MAX_CHARS: usize = 255;
/// The first year in which anybody can have been born: nobody alive is near it, and what is before
/// it is a slip of the keyboard, such as 0198 for 1998.
const BORN_YEAR_MIN: i32 = 1850;

/// A patient as a client describes it: complete and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) address: String,
    pub(crate) date_of_birth: NaiveDate,
    /// When a patient is created it may be left out, and is then the day of creation. Later it
    /// cannot change: a replacement may repeat it or leave it out.
    pub(crate) registered_date: Option<NaiveDate>,
}

/// What a replacement repeats of what only the service writes: checked against what is stored, so
/// that what was read can be sent back with changes, and a stale copy cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    version: Option<i64>,
    created_at: Option<String>,
    updated_at: Option<String>,
    /// There is an operation to change it.
    restricted: Option<bool>,
}

/// A patient in place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replacement {
    pub(crate) draft: Draft,
    pub(crate) kept: Kept,
}

impl Draft {
    /// Checks the document of a new patient. `latest` is the last day on which anybody can have
    /// been born or registered.
    pub(crate) fn from_document(
        document: Value,
        rule: Rule,
        latest: NaiveDate,
    ) -> Result<Self, Problem> {
        let mut fields = Fields::new(document)?;
        let draft = Self::take(&mut fields, rule, latest, |fields, born| {
            let date = fields.date("registeredDate")?;
            if date > latest {
                return fields.fail("registeredDate", "must not be in the future");
            }
            if born.is_some_and(|born| date < born) {
                return fields.fail("registeredDate", "must not be before dateOfBirth");
            }
            Some(date)
        });
        fields.finish()?;
        whole(draft)
    }

    /// When the patient was registered if not `today`. Where a day has begun that UTC does not
    /// have yet, somebody may be born on it already, and is not registered before.
    pub(crate) fn registered(&self, today: NaiveDate) -> NaiveDate {
        self.registered_date.unwrap_or_else(|| today.max(self.date_of_birth))
    }

    /// Takes the fields; `registered` reads the date of registration, where there is one.
    fn take(
        fields: &mut Fields,
        rule: Rule,
        latest: NaiveDate,
        registered: impl FnOnce(&mut Fields, Option<NaiveDate>) -> Option<NaiveDate>,
    ) -> Option<Self> {
        let name = fields.text("name", NAME_MAX_CHARS);
        let email = match rule {
            Rule::Unique => fields.email("email"),
            Rule::Optional => fields.optional("email", Fields::email_or_blank).flatten(),
        };
        let address = fields.lines("address", ADDRESS_MAX_CHARS);
        let date_of_birth = fields.date("dateOfBirth").and_then(|date| born(fields, date, latest));
        let registered_date =
            fields.optional("registeredDate", |fields, _| registered(fields, date_of_birth));
        Some(Self {
            name: name?,
            email,
            address: address?,
            date_of_birth: date_of_birth?,
            registered_date,
        })
    }
}

impl Replacement {
    /// Checks the document of a change of the patient with this id. Whether the dates go together
    /// is for the database to say, which has the one of registration.
    pub(crate) fn from_document(
        document: Value,
        id: &str,
        rule: Rule,
        latest: NaiveDate,
    ) -> Result<Self, Problem> {
        let mut fields = Fields::new(document)?;
        let registered = |fields: &mut Fields, _| fields.date("registeredDate");
        let draft = Draft::take(&mut fields, rule, latest, registered);
        fields.own_id(id);
        let version =
            fields.optional("version", |fields, name| fields.integer(name, Ok::<_, &str>));
        let created_at = fields.optional("createdAt", Fields::moment);
        let updated_at = fields.optional("updatedAt", Fields::moment);
        let restricted = fields.optional("restricted", Fields::truth);
        // What the answer to a registration has besides.
        ["billing", "earlierIds"].into_iter().for_each(|name| fields.pass_over(name));
        fields.finish()?;
        let kept = Kept { version, created_at, updated_at, restricted };
        whole(draft.map(|draft| Self { draft, kept }))
    }
}

impl Kept {
    /// As parameters for `$n::bigint`, two `$n::text` of moments, and `$n::boolean`; NULL for what
    /// was left out.
    pub(crate) fn parameters(&self) -> [ParameterValue; 4] {
        let text = |text: &Option<String>| {
            text.as_deref().map_or(ParameterValue::DbNull, kit::database::text)
        };
        let version = self.version.map_or(ParameterValue::DbNull, ParameterValue::Int64);
        let restricted = self.restricted.map_or(ParameterValue::DbNull, ParameterValue::Boolean);
        [version, text(&self.created_at), text(&self.updated_at), restricted]
    }
}

/// The date, if somebody can be born on it.
fn born(fields: &mut Fields, date: NaiveDate, latest: NaiveDate) -> Option<NaiveDate> {
    if date > latest {
        return fields.fail("dateOfBirth", "must not be in the future");
    }
    if date.year() < BORN_YEAR_MIN {
        let detail = format!("must not be before {BORN_YEAR_MIN}; is the year right?");
        return fields.fail("dateOfBirth", detail);
    }
    Some(date)
}

/// A field is missing only after it failed, and then finish() has returned.
fn whole<T>(value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::new(kit::problem::INTERNAL))
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
        let problem = match Draft::from_document(document, Rule::Unique, day("2024-06-01")) {
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
        let draft = Draft::from_document(valid(), Rule::Unique, day("2024-06-01")).unwrap();
        let expected = Draft {
            name: "Ann Lee".to_owned(),
            email: Some("Ann@Example.com".to_owned()),
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
        let mut born_today = without("registeredDate");
        born_today["dateOfBirth"] = "2024-06-01".into();
        check(born_today, &[]);
        check(with("dateOfBirth", "2024-06-02"), &["/dateOfBirth"]);
        check(with("dateOfBirth", "2023-02-29"), &["/dateOfBirth"]);
        check(with("dateOfBirth", "1850-01-01"), &[]);
        check(with("dateOfBirth", "1849-12-31"), &["/dateOfBirth"]);
        check(with("dateOfBirth", "0198-03-02"), &["/dateOfBirth"]);
        check(with("registeredDate", "2024-02-30"), &["/registeredDate"]);
        check(with("registeredDate", "2024-06-01"), &[]);
        check(with("registeredDate", "2024-06-02"), &["/registeredDate"]);
        check(with("registeredDate", "2000-02-29"), &[]);
        check(with("registeredDate", "2000-02-28"), &["/registeredDate"]);
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
    fn an_address_may_be_missing_where_the_application_says_so() {
        let read =
            |document: Value| Draft::from_document(document, Rule::Optional, day("2024-06-01"));
        for document in [without("email"), with("email", Value::Null), with("email", " ")] {
            assert_eq!(read(document).unwrap().email, None);
        }
        assert!(read(valid()).unwrap().email.is_some());
        assert!(read(with("email", "ann")).is_err());
        assert!(read(with("email", 1)).is_err());
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

    #[test]
    fn nobody_is_registered_before_birth() {
        let mut draft =
            Draft::from_document(without("registeredDate"), Rule::Unique, day("2024-06-01"))
                .unwrap();
        assert_eq!(draft.registered(day("2024-05-31")), day("2024-05-31"));
        draft.date_of_birth = day("2024-06-01");
        assert_eq!(draft.registered(day("2024-05-31")), day("2024-06-01"));
    }

    #[test]
    fn what_was_read_can_be_sent_back() {
        let id = "123e4567-e89b-12d3-a456-426614174000";
        let read = |name: &str, value: Value| {
            let mut document = valid();
            document["id"] = id.into();
            document["version"] = 3.into();
            document["createdAt"] = "2024-01-01T00:00:00.000001Z".into();
            document["updatedAt"] = "2024-01-01T01:00:00.000002+01:00".into();
            document["restricted"] = false.into();
            document[name] = value;
            Replacement::from_document(document, id, Rule::Unique, day("2024-06-01"))
        };
        let kept = Kept {
            version: Some(3),
            created_at: Some("2024-01-01T00:00:00.000001Z".to_owned()),
            updated_at: Some("2024-01-01T00:00:00.000002Z".to_owned()),
            restricted: Some(false),
        };
        assert_eq!(read("id", id.into()).unwrap().kept, kept);
        assert_eq!(read("version", Value::Null).unwrap().kept.version, None);
        for (name, value) in [
            ("id", json!("123e4567-e89b-12d3-a456-426614174001")),
            ("version", json!("3")),
            ("createdAt", json!("yesterday")),
            ("updatedAt", json!(1)),
            ("restricted", json!("no")),
            ("deletedAt", json!("2024-01-01T00:00:00Z")),
        ] {
            assert!(read(name, value).is_err(), "{name}");
        }
        let bare =
            Replacement::from_document(valid(), id, Rule::Unique, day("2024-06-01")).unwrap();
        assert_eq!(bare.kept, Kept::default());
    }
}
