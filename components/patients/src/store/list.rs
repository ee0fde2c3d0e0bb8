//! Listing patients by keyset: a page begins after a row, found in the index of its order, and
//! costs the same wherever it is.
//!
//! The statement is put together from fixed pieces; whatever a client sent goes in as a parameter.
//! A prefix is a range of the folded names in byte order rather than a LIKE: nothing has to be
//! escaped, and the index serves it under a plan made once for all values.

use kit::audit::Access;
use kit::database::{self, Database, Fault};
use kit::page::LIMIT_MAX;
use spin_sdk::pg::ParameterValue;

use crate::model::{Patient, fold_name};
use crate::query::{Listing, SortKey};

/// One page of patients.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) patients: Vec<Patient>,
    /// Whether another page follows.
    pub(crate) more: bool,
}

/// The patients of a page. The audit row says how many were shown, not which were looked for.
pub(crate) async fn list(
    database: &Database,
    access: &Access<'_>,
    listing: &Listing,
) -> Result<Page, Fault> {
    let statement = Statement::of(listing);
    let rows = database.query(&statement.text(listing), access.values(statement.values)).await?;
    let shown = usize::try_from(listing.limit).unwrap_or(usize::MAX);
    let patients = rows.iter().take(shown).map(Patient::from_row).collect::<Result<_, _>>()?;
    Ok(Page { patients, more: rows.len() > shown })
}

/// The conditions of a listing and the values for their parameters, from `$5` on.
struct Statement {
    conditions: String,
    values: Vec<ParameterValue>,
}

impl Statement {
    fn of(listing: &Listing) -> Self {
        // $5 is the number of rows wanted: one more than are shown, to learn whether more follow.
        let wanted = ParameterValue::Int64(i64::from(listing.limit) + 1);
        let mut statement = Self { conditions: String::new(), values: vec![wanted] };
        let filters = &listing.filters;
        if let Some(name) = &filters.name {
            let prefix = fold_name(name);
            statement.and("name_key >= $::text", database::text(&prefix));
            if let Some(end) = after_prefix(&prefix) {
                statement.and("name_key < $::text", database::text(&end));
            }
        }
        if let Some(email) = &filters.email {
            statement.and("lower(email COLLATE \"C\") = $::text", database::text(email));
        }
        if let Some(from) = filters.born_from {
            statement.and("date_of_birth >= $::date", from.into());
        }
        if let Some(to) = filters.born_to {
            statement.and("date_of_birth <= $::date", to.into());
        }
        if let Some(id) = &listing.after {
            let key = column(listing.sort.key);
            let beyond = if listing.sort.descending { "<" } else { ">" };
            let last = format!("(SELECT {key} FROM patients WHERE id = $::uuid)");
            let after = format!("({key}, id) {beyond} ({last}, $::uuid)");
            statement.and(&after, database::uuid(id));
        }
        statement
    }

    /// Adds a condition on one value, each `$` of which becomes its parameter.
    fn and(&mut self, condition: &str, value: ParameterValue) {
        self.values.push(value);
        // The first four parameters are the caller's.
        let parameter = format!("${}", self.values.len() + 4);
        self.conditions.push_str(" AND ");
        self.conditions.push_str(&condition.replace('$', &parameter));
    }

    /// The inner limit is a constant so that the planner knows how little is wanted; the outer one
    /// stops earlier still.
    fn text(&self, listing: &Listing) -> String {
        let key = column(listing.sort.key);
        let direction = if listing.sort.descending { "DESC" } else { "ASC" };
        let (conditions, most) = (&self.conditions, LIMIT_MAX + 1);
        let columns = "id, name, email, address, date_of_birth, registered_date, version";
        format!(
            "WITH page AS MATERIALIZED (SELECT * FROM (SELECT {columns}, \
             created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated, \
             {key} AS key FROM patients WHERE deleted_at IS NULL{conditions} \
             ORDER BY {key} {direction}, id {direction} LIMIT {most}) ordered LIMIT $5::bigint), \
             noted AS (INSERT INTO audit_log \
             (actor, role, token_id, request_id, action, row_count, outcome) \
             SELECT $1::uuid, $2::text, $3::text, $4::text, 'LIST', \
             least(count(*), $5::bigint - 1), 'SUCCESS' FROM page) \
             SELECT {columns}, created, updated FROM page ORDER BY key {direction}, id {direction}"
        )
    }
}

fn column(key: SortKey) -> &'static str {
    match key {
        SortKey::Name => "name_key",
        SortKey::RegisteredDate => "registered_date",
        SortKey::DateOfBirth => "date_of_birth",
    }
}

/// The least text, in byte order, that is greater than every text with this prefix. `None` if there
/// is none: a prefix of nothing but the last character there is.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // UTF-8 sorts as code points do. The range leaves out the surrogates, which are no
        // characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The conditions of a query string's statement, and how many values go with them.
    fn check(query: &str, conditions: &str, values: usize) {
        let listing = Listing::parse(query).unwrap();
        let statement = Statement::of(&listing);
        assert_eq!((statement.conditions.as_str(), statement.values.len()), (conditions, values));
        let text = statement.text(&listing);
        let largest = (1..20).rev().find(|n| text.contains(&format!("${n}::"))).unwrap();
        assert_eq!(largest, values + 4, "{text}");
    }

    #[test]
    fn conditions() {
        check("", "", 1);
        check("name=%25", " AND name_key >= $6::text AND name_key < $7::text", 3);
        check("name=%F4%8F%BF%BF", " AND name_key >= $6::text", 2);
        check("email=A@b", " AND lower(email COLLATE \"C\") = $6::text", 2);
        check(
            "dateOfBirthFrom=2000-01-01&dateOfBirthTo=2000-01-02",
            " AND date_of_birth >= $6::date AND date_of_birth <= $7::date",
            3,
        );
    }

    #[test]
    fn pages_begin_after_a_row() {
        let id = "123e4567-e89b-12d3-a456-426614174000";
        let check = |sort: &str, condition: &str, order: &str| {
            let mut listing = Listing::parse(&format!("sort={sort}")).unwrap();
            listing.after = Some(id.to_owned());
            let statement = Statement::of(&listing);
            assert_eq!(statement.conditions, condition);
            assert!(statement.text(&listing).contains(order));
        };
        check(
            "name",
            " AND (name_key, id) > ((SELECT name_key FROM patients WHERE id = $6::uuid), $6::uuid)",
            "ORDER BY name_key ASC, id ASC LIMIT 501",
        );
        check(
            "-dateOfBirth",
            " AND (date_of_birth, id) < \
             ((SELECT date_of_birth FROM patients WHERE id = $6::uuid), $6::uuid)",
            "ORDER BY date_of_birth DESC, id DESC LIMIT 501",
        );
    }

    proptest! {
        #[test]
        fn a_prefix_is_a_range(
            prefix in "[ -~é\u{d7ff}\u{e000}\u{10ffff}]{1,3}",
            text in "[ -~é\u{d7ff}\u{e000}\u{10ffff}]{0,5}",
            end in any::<char>(),
        ) {
            for text in [text.clone(), format!("{prefix}{text}"), format!("{prefix}{end}")] {
                let within = text >= prefix && after_prefix(&prefix).is_none_or(|end| text < end);
                prop_assert_eq!(within, text.starts_with(&prefix));
            }
        }
    }
}
