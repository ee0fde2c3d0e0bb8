//! A patient as it is shown, and as it comes out of the database.

use kit::database::{Fault, Row};
use kit::date;
use serde::Serialize;

/// A patient, in the words and shapes of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Patient {
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    pub(crate) id: String,
    pub(crate) name: String,
    /// Missing where the application lets it be.
    #[cfg_attr(test, schemars(extend("format" = "email")))]
    pub(crate) email: Option<String>,
    pub(crate) address: String,
    #[cfg_attr(test, schemars(extend("format" = "date")))]
    pub(crate) date_of_birth: String,
    #[cfg_attr(test, schemars(extend("format" = "date")))]
    pub(crate) registered_date: String,
    /// 1 when created, one more with each change.
    pub(crate) version: i64,
    /// In UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub(crate) created_at: String,
    /// In UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub(crate) updated_at: String,
    /// Whether only those see them who are allowed to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) restricted: bool,
}

impl Patient {
    /// Reads a row of: id, name, email, address, date_of_birth, registered_date, version,
    /// created_at and updated_at cast to UTC (not every host can hand out `timestamptz`), and
    /// restricted.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.uuid(0)?,
            name: row.text(1)?,
            email: row.get(2)?,
            address: row.text(3)?,
            date_of_birth: date::format(row.date(4)?),
            registered_date: date::format(row.date(5)?),
            version: row.bigint(6)?,
            created_at: date::format_instant(row.instant(7)?),
            updated_at: date::format_instant(row.instant(8)?),
            restricted: row.get(9)?,
        })
    }
}

/// A name in lower case, out of which the database makes what patients are sorted and found by:
/// `patients_search_key` in `migrations`. Lower case comes from here, because the database's own
/// depends on its locale.
///
/// Character by character, without the rules that look at neighbours (a Greek sigma at the end of
/// a word), so that the beginning of a name folds to the beginning of its folded form.
pub(crate) fn fold_name(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patients_look_as_people_know_them() {
        let patient = Patient {
            id: "i".to_owned(),
            name: "n".to_owned(),
            email: Some("e".to_owned()),
            address: "a".to_owned(),
            date_of_birth: "1985-06-15".to_owned(),
            registered_date: "2024-01-10".to_owned(),
            version: 1,
            created_at: "c".to_owned(),
            updated_at: "u".to_owned(),
            restricted: false,
        };
        let expected =
            r#"{"id":"i","name":"n","email":"e","address":"a","dateOfBirth":"1985-06-15","#
                .to_owned()
                + r#""registeredDate":"2024-01-10","version":1,"createdAt":"c","updatedAt":"u"}"#;
        assert_eq!(serde_json::to_string(&patient).unwrap(), expected);
        let restricted = serde_json::to_value(Patient { restricted: true, ..patient }).unwrap();
        assert_eq!(restricted["restricted"], true);
    }

    proptest! {
        #[test]
        fn folding_keeps_beginnings(name in "\\PC{0,20}", more in "\\PC{0,20}") {
            let whole = format!("{name}{more}");
            prop_assert!(fold_name(&whole).starts_with(&fold_name(&name)));
        }

        #[test]
        fn folding_twice_changes_nothing(name in "\\PC{0,20}") {
            let folded = fold_name(&name);
            prop_assert_eq!(fold_name(&folded), folded);
        }
    }
}
