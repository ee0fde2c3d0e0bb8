//! Listing patients by keyset: a page begins after a position in the index of its order, and costs
//! the same wherever that is. Whether a row is still there, or anywhere else, does not matter.
//!
//! The statement is put together from fixed pieces; whatever a client sent goes in as a parameter.
//! A prefix is a range of the search keys in byte order rather than a LIKE: nothing has to be
//! escaped, and the index serves it under a plan made once for all values. It goes from the prefix
//! to the prefix with the last code point behind it, which is no character and in no name.

use kit::audit::Access;
use kit::database::{self, Database, Fault, Row};
use kit::page::LIMIT_MAX;
use spin_sdk::pg::ParameterValue;

use crate::model::{Patient, fold_name};
use crate::query::{Listing, SortKey};
use crate::sight::Sight;

/// A place in an order: what patients are sorted by, as text, and the id that decides between
/// equals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) key: String,
    pub(crate) id: String,
}

impl Position {
    /// Reads a row of the statement below: after a patient's columns comes the key.
    fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok(Self { key: row.text(10)?, id: row.uuid(0)? })
    }
}

/// One page of patients.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) patients: Vec<Patient>,
    /// Where the last of them stood, if another page follows.
    pub(crate) next: Option<Position>,
}

/// The patients of a page, of those who are seen. The audit row says who was shown, not who was
/// looked for.
pub(crate) async fn list(
    database: &Database,
    access: &Access<'_>,
    listing: &Listing,
    after: Option<&Position>,
    sight: Sight,
) -> Result<Page, Fault> {
    let statement = Statement::of(listing, after, sight);
    let rows = database.query(&statement.text(listing), access.values(statement.values)).await?;
    let shown = usize::try_from(listing.limit).unwrap_or(usize::MAX);
    let patients = rows.iter().take(shown).map(Patient::from_row).collect::<Result<_, _>>()?;
    let last = shown.checked_sub(1).and_then(|at| rows.get(at)).filter(|_| rows.len() > shown);
    let next = last.map(Position::from_row).transpose()?;
    Ok(Page { patients, next })
}

/// The conditions of a listing and the values for their parameters, from `$6` on.
struct Statement {
    conditions: String,
    /// What the audit row says of why restricted patients were shown.
    reason: String,
    values: Vec<ParameterValue>,
}

impl Statement {
    fn of(listing: &Listing, after: Option<&Position>, sight: Sight) -> Self {
        // $6 is the number of rows wanted: one more than are shown, to learn whether more follow.
        let wanted = ParameterValue::Int64(i64::from(listing.limit) + 1);
        let (conditions, reason) = (String::new(), "NULL".to_owned());
        let mut statement = Self { conditions, reason, values: vec![wanted] };
        match sight {
            Sight::Plain => statement.conditions.push_str(" AND NOT restricted"),
            Sight::Full => {}
            Sight::Broken(_) => {
                let reason = statement.parameter(sight.reason());
                statement.reason = format!("CASE WHEN bool_or(restricted) THEN {reason}::text END");
            }
        }
        let filters = &listing.filters;
        if let Some(name) = &filters.name {
            let prefix = statement.parameter(database::text(&fold_name(name)));
            let key = format!("patients_search_key({prefix}::text)");
            let range = format!(" AND search_key >= {key} AND search_key < {key} || U&'\\+10FFFF'");
            statement.conditions.push_str(&range);
        }
        if let Some(email) = &filters.email {
            let same = "(lower(email COLLATE \"C\") = $::text \
                OR lower(shared_email COLLATE \"C\") = $::text)";
            statement.and(same, database::text(email));
        }
        if let Some(from) = filters.born_from {
            statement.and("date_of_birth >= $::date", from.into());
        }
        if let Some(to) = filters.born_to {
            statement.and("date_of_birth <= $::date", to.into());
        }
        if let Some(Position { key, id }) = after {
            let (column, kind) = column(listing.sort.key);
            let beyond = if listing.sort.descending { "<" } else { ">" };
            let key = statement.parameter(database::text(key));
            let id = statement.parameter(database::uuid(id));
            let after = format!(" AND ({column}, id) {beyond} ({key}::{kind}, {id}::uuid)");
            statement.conditions.push_str(&after);
        }
        statement
    }

    /// Adds a condition on one value, each `$` of which becomes its parameter.
    fn and(&mut self, condition: &str, value: ParameterValue) {
        let parameter = self.parameter(value);
        self.conditions.push_str(" AND ");
        self.conditions.push_str(&condition.replace('$', &parameter));
    }

    /// Takes a value, and gives the parameter that stands for it.
    fn parameter(&mut self, value: ParameterValue) -> String {
        self.values.push(value);
        // The first five parameters are the caller's.
        format!("${}", self.values.len() + 5)
    }

    /// The inner limit is a constant so that the planner knows how little is wanted; the outer one
    /// stops earlier still.
    fn text(&self, listing: &Listing) -> String {
        let (key, _) = column(listing.sort.key);
        let direction = if listing.sort.descending { "DESC" } else { "ASC" };
        let (conditions, reason, most) = (&self.conditions, &self.reason, LIMIT_MAX + 1);
        let columns = "id, name, email, address, date_of_birth, registered_date, version";
        let read = columns.replace("email", "coalesce(email, shared_email) AS email");
        format!(
            "WITH page AS MATERIALIZED (SELECT * FROM (SELECT {read}, \
             created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated, \
             restricted, {key} AS key FROM patients WHERE deleted_at IS NULL{conditions} \
             ORDER BY {key} {direction}, id {direction} LIMIT {most}) ordered LIMIT $6::bigint), \
             noted AS (INSERT INTO audit_log \
             (actor, role, token_id, request_id, address, action, row_count, shown, outcome, \
             break_glass) \
             SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'LIST', \
             least(count(*), $6::bigint - 1), (array_agg(id ORDER BY page.key {direction}, \
             id {direction}))[:($6::bigint - 1)::integer], 'SUCCESS', {reason} FROM page) \
             SELECT {columns}, created, updated, restricted, key::text AS position FROM page \
             ORDER BY page.key {direction}, id {direction}"
        )
    }
}

/// The column that is sorted by, and what makes a value of it out of a text.
fn column(key: SortKey) -> (&'static str, &'static str) {
    match key {
        SortKey::Name => ("search_key", "text"),
        SortKey::RegisteredDate => ("registered_date", "text::date"),
        SortKey::DateOfBirth => ("date_of_birth", "text::date"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::UrlFilters;
    use kit::query::Query;

    fn listing(query: &str) -> Listing {
        Listing::of_list(Query::parse(query).unwrap(), UrlFilters::Taken).unwrap()
    }

    /// The conditions of a query string's statement, and how many values go with them.
    fn check(query: &str, conditions: &str, values: usize) {
        let listing = listing(query);
        let statement = Statement::of(&listing, None, Sight::Full);
        assert_eq!((statement.conditions.as_str(), statement.values.len()), (conditions, values));
        let text = statement.text(&listing);
        let largest = (1..20).rev().find(|n| text.contains(&format!("${n}::"))).unwrap();
        assert_eq!(largest, values + 5, "{text}");
    }

    #[test]
    fn conditions() {
        check("", "", 1);
        check(
            "name=%25",
            " AND search_key >= patients_search_key($7::text) \
             AND search_key < patients_search_key($7::text) || U&'\\+10FFFF'",
            2,
        );
        check(
            "email=A@b.cd",
            " AND (lower(email COLLATE \"C\") = $7::text \
             OR lower(shared_email COLLATE \"C\") = $7::text)",
            2,
        );
        check(
            "dateOfBirthFrom=2000-01-01&dateOfBirthTo=2000-01-02",
            " AND date_of_birth >= $7::date AND date_of_birth <= $8::date",
            3,
        );
    }

    #[test]
    fn who_is_restricted_is_in_nobodys_list_without_a_reason() {
        let listing = listing("");
        let check = |sight: Sight, condition: &str, noted: &str| {
            let statement = Statement::of(&listing, None, sight);
            assert_eq!(statement.conditions, condition);
            assert!(statement.text(&listing).contains(noted), "{sight:?}");
        };
        check(Sight::Plain, " AND NOT restricted", "'SUCCESS', NULL FROM page");
        check(Sight::Full, "", "'SUCCESS', NULL FROM page");
        check(
            Sight::Broken("ETREAT"),
            "",
            "CASE WHEN bool_or(restricted) THEN $7::text END FROM page",
        );
    }

    #[test]
    fn pages_begin_after_a_position() {
        let after = Position { key: "k".to_owned(), id: "i".to_owned() };
        let check = |sort: &str, condition: &str, order: &str| {
            let listing = listing(&format!("sort={sort}"));
            let statement = Statement::of(&listing, Some(&after), Sight::Full);
            assert_eq!(statement.conditions, condition);
            assert!(statement.text(&listing).contains(order));
        };
        check(
            "name",
            " AND (search_key, id) > ($7::text, $8::uuid)",
            "ORDER BY search_key ASC, id ASC LIMIT 501",
        );
        check(
            "-dateOfBirth",
            " AND (date_of_birth, id) < ($7::text::date, $8::uuid)",
            "ORDER BY date_of_birth DESC, id DESC LIMIT 501",
        );
    }
}
