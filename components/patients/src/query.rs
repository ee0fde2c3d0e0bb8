//! The question that `GET /api/patients?…` asks: order, filters, and where to go on.

use chrono::NaiveDate;
use kit::query::Query;
use kit::{Problem, date, email, page};

use crate::COLLECTION;

/// Longest filter text, in characters: no stored value is longer.
const FILTER_MAX_CHARS: usize = 254;

/// What patients are sorted by; their id decides between equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortKey {
    Name,
    RegisteredDate,
    DateOfBirth,
}

/// A sort order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) key: SortKey,
    pub(crate) descending: bool,
}

/// Which patients are meant. All that are given have to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    /// The beginning of the name, in any case.
    pub(crate) name: Option<String>,
    /// The whole e-mail address, folded.
    pub(crate) email: Option<String>,
    /// The earliest date of birth.
    pub(crate) born_from: Option<NaiveDate>,
    /// The latest date of birth.
    pub(crate) born_to: Option<NaiveDate>,
}

/// One page of one listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) sort: Sort,
    pub(crate) filters: Filters,
    /// Patients on a page.
    pub(crate) limit: u32,
    /// The id of the last patient of the page before. The id alone, because it travels in a URL:
    /// what it is sorted by is looked up again. So a page always begins where that patient is now.
    pub(crate) after: Option<String>,
}

impl Listing {
    /// Reads the query string; 400 with everything that is wrong in it.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut query = Query::parse(text)?;
        let sort = sort(&mut query);
        let filters = filters(&mut query);
        let limit = page::limit(&mut query);
        let after = sort.and_then(|sort| after(&mut query, &question(sort, &filters)));
        query.take("after");
        query.finish()?;
        // Either is missing only after it failed, and then finish() has returned.
        let listing = sort.zip(limit).map(|(sort, limit)| Self { sort, filters, limit, after });
        listing.ok_or_else(|| Problem::new(kit::problem::INTERNAL))
    }

    /// The header that leads to the page after the one that ends with this patient.
    pub(crate) fn next_link(&self, last_id: &str) -> Option<http::HeaderValue> {
        let cursor = page::cursor(last_id, &question(self.sort, &self.filters));
        let limit = self.limit.to_string();
        let (from, to) = (self.filters.born_from, self.filters.born_to);
        let (from, to) = (from.map(date::format), to.map(date::format));
        let pairs = [
            ("limit", Some(limit.as_str())),
            ("sort", Some(self.sort.name())),
            ("name", self.filters.name.as_deref()),
            ("email", self.filters.email.as_deref()),
            ("dateOfBirthFrom", from.as_deref()),
            ("dateOfBirthTo", to.as_deref()),
            ("after", Some(cursor.as_str())),
        ];
        let pairs: Vec<(&str, &str)> =
            pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        page::next_link(COLLECTION, &pairs)
    }
}

impl Sort {
    const ALL: [(&str, SortKey, bool); 6] = [
        ("name", SortKey::Name, false),
        ("-name", SortKey::Name, true),
        ("registeredDate", SortKey::RegisteredDate, false),
        ("-registeredDate", SortKey::RegisteredDate, true),
        ("dateOfBirth", SortKey::DateOfBirth, false),
        ("-dateOfBirth", SortKey::DateOfBirth, true),
    ];

    fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        let found =
            all.find(|(_, key, descending)| (*key, *descending) == (self.key, self.descending));
        found.map_or("name", |(name, ..)| name)
    }
}

fn sort(query: &mut Query) -> Option<Sort> {
    let text = query.take("sort").unwrap_or_else(|| "name".to_owned());
    match Sort::ALL.iter().find(|(name, ..)| *name == text) {
        Some((_, key, descending)) => Some(Sort { key: *key, descending: *descending }),
        None => query.fail("sort", "must be name, registeredDate or dateOfBirth, or one after a -"),
    }
}

fn filters(query: &mut Query) -> Filters {
    Filters {
        name: text(query, "name"),
        email: text(query, "email").map(|text| email::fold(&text)),
        born_from: day(query, "dateOfBirthFrom"),
        born_to: day(query, "dateOfBirthTo"),
    }
}

fn text(query: &mut Query, name: &str) -> Option<String> {
    let text = query.take(name)?;
    if (1..=FILTER_MAX_CHARS).contains(&text.chars().count()) {
        return Some(text);
    }
    query.fail(name, format!("must be 1 to {FILTER_MAX_CHARS} characters"))
}

fn day(query: &mut Query, name: &str) -> Option<NaiveDate> {
    let text = query.take(name)?;
    date::parse(&text).or_else(|| query.fail(name, "must be a date, yyyy-mm-dd"))
}

fn after(query: &mut Query, question: &str) -> Option<String> {
    let cursor = query.take("after")?;
    let id = page::position(&cursor, question).and_then(|id| kit::uuid::parse(&id));
    id.or_else(|| query.fail("after", "must come from a Link header for the same sort and filters"))
}

/// What has to stay the same from page to page. Debug quotes strings, so that no two questions are
/// written alike.
fn question(sort: Sort, filters: &Filters) -> String {
    format!("{} {filters:?}", sort.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    #[test]
    fn what_is_refused() {
        let check = |text: &str, accepted: bool| {
            assert_eq!(Listing::parse(text).is_ok(), accepted, "{text}");
        };
        check("", true);
        check("limit=500&sort=-dateOfBirth&name=a&email=b&dateOfBirthFrom=2000-01-01", true);
        check("limit=501", false);
        check("sort=address", false);
        check("sort=--name", false);
        check("sort=", false);
        check("name=", false);
        check(&format!("name={}", "a".repeat(255)), false);
        check("name=%00", false);
        check("name=a&name=b", false);
        check("dateOfBirthFrom=2000", false);
        check("dateOfBirthTo=2000-02-30", false);
        check("offset=3", false);
        check("after=", false);
        check("after=abc", false);
        check("sort=x&after=abc", false);
        check(&format!("after={ID}"), false);
    }

    #[test]
    fn defaults() {
        let listing = Listing::parse("").unwrap();
        let sort = Sort { key: SortKey::Name, descending: false };
        let expected = Listing { sort, filters: Filters::default(), limit: 50, after: None };
        assert_eq!(listing, expected);
    }

    /// Follows the link from the page that ends with [`ID`].
    fn follow(listing: &Listing) -> String {
        let link = listing.next_link(ID).unwrap();
        let link = link.to_str().unwrap().strip_prefix("</api/patients?").unwrap();
        link.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
    }

    #[test]
    fn a_cursor_belongs_to_its_question() {
        let next = follow(&Listing::parse("sort=name&name=a&limit=2").unwrap());
        let check = |from: &str, to: &str, accepted: bool| {
            let text = next.replacen(from, to, 1);
            assert_eq!(Listing::parse(&text).is_ok(), accepted, "{text}");
        };
        check("limit=2", "limit=3", true);
        check("sort=name", "sort=-name", false);
        check("name=a", "name=b", false);
        check("&name=a", "", false);
        check("limit=2", "limit=2&dateOfBirthTo=2000-01-01", false);
    }

    proptest! {
        #[test]
        fn links_lead_on_with_the_same_question(
            at in 0usize..6,
            name in prop::option::of("\\PC{1,20}"),
            email in prop::option::of("\\PC{1,20}"),
            from in prop::option::of(1u32..29),
            limit in 1u32..=500,
        ) {
            let from = from.map(|day| format!("2000-02-{day:02}"));
            let limit = limit.to_string();
            let mut pairs = vec![("sort", Sort::ALL[at].0), ("limit", &limit)];
            pairs.extend(name.as_deref().map(|name| ("name", name)));
            pairs.extend(email.as_deref().map(|email| ("email", email)));
            pairs.extend(from.as_deref().map(|from| ("dateOfBirthFrom", from)));
            let first = Listing::parse(&kit::query::encode(&pairs)).unwrap();
            let second = Listing::parse(&follow(&first)).unwrap();
            prop_assert_eq!(second, Listing { after: Some(ID.to_owned()), ..first });
        }
    }
}
