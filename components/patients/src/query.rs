//! The question that `GET /api/patients?…` asks: order, filters, and where to go on.

use chrono::NaiveDate;
use kit::problem::INTERNAL;
use kit::query::{self, Query};
use kit::seal::Seal;
use kit::{Problem, date, email, page, text};

use crate::COLLECTION;
use crate::store::Position;

/// Longest filter text, in characters: no stored value is longer.
const FILTER_MAX_CHARS: usize = 254;
/// The length of an id as text.
const ID_CHARS: usize = 36;

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
    /// The beginning of the name, however it is written.
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
    /// The sealed position at which the page before ended, as it was sent.
    cursor: Option<String>,
}

impl Listing {
    /// Reads the query string; 400 with everything that is wrong in it.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut query = Query::parse(text)?;
        let sort = sort(&mut query);
        let filters = filters(&mut query);
        let limit = page::limit(&mut query);
        let cursor = query.take("after");
        query.finish()?;
        // Either is missing only after it failed, and then finish() has returned.
        let listing = sort.zip(limit).map(|(sort, limit)| Self { sort, filters, limit, cursor });
        listing.ok_or_else(|| Problem::new(INTERNAL))
    }

    /// Where the page begins; `None` for the first one.
    pub(crate) fn after(&self, seal: &Seal) -> Result<Option<Position>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let found = seal.position(cursor, &self.question()).as_deref().and_then(Position::read);
        found.map(Some).ok_or_else(|| {
            query::wrong("after", "must come from a Link header for the same sort and filters")
        })
    }

    /// The header that leads to the page after this position.
    pub(crate) fn next_link(&self, seal: &Seal, last: &Position) -> Option<http::HeaderValue> {
        let cursor = seal.cursor(&last.text(), &self.question())?;
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

    /// What has to stay the same from page to page. Debug quotes strings, so that no two questions
    /// are written alike.
    fn question(&self) -> String {
        format!("{} {:?}", self.sort.name(), self.filters)
    }
}

impl Position {
    /// As it is sealed: the id, which is always as long, and then the key.
    fn text(&self) -> String {
        format!("{}{}", self.id, self.key)
    }

    fn read(text: &str) -> Option<Self> {
        let (id, key) = text.split_at_checked(ID_CHARS)?;
        Some(Self { key: key.to_owned(), id: kit::uuid::parse(id)? })
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
    let (name, email) = (name(query), email(query));
    let (born_from, born_to) = (day(query, "dateOfBirthFrom"), day(query, "dateOfBirthTo"));
    // Nobody can be born then, and an empty list would say that nobody was.
    if born_from.zip(born_to).is_some_and(|(from, to)| from > to) {
        query.fail::<()>("dateOfBirthTo", "must not be before dateOfBirthFrom");
    }
    Filters { name, email, born_from, born_to }
}

/// A beginning may end where a joiner would have stood inside a word: joiners are not looked for.
fn name(query: &mut Query) -> Option<String> {
    let given = query.take("name")?;
    let read = text::line(&text::without_joiners(&given), FILTER_MAX_CHARS);
    read.map_err(|expected| query.fail::<()>("name", expected)).ok()
}

/// What can be nobody's address finds nobody, and would read as "not there yet".
fn email(query: &mut Query) -> Option<String> {
    let given = query.take("email")?;
    match email::parse(&given) {
        Ok(address) => Some(email::fold(&address)),
        Err(_) => query.fail(
            "email",
            "must be a whole e-mail address; a + in it is written %2B, as + is a blank here",
        ),
    }
}

fn day(query: &mut Query, name: &str) -> Option<NaiveDate> {
    let text = query.take(name)?;
    date::parse(&text).or_else(|| query.fail(name, "must be a date, yyyy-mm-dd"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::problem::BAD_REQUEST;
    use proptest::prelude::*;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    #[test]
    fn what_is_refused() {
        let check = |text: &str, accepted: bool| {
            assert_eq!(Listing::parse(text).is_ok(), accepted, "{text}");
        };
        check("", true);
        check("limit=500&sort=-dateOfBirth&name=a&email=b@c.de&dateOfBirthFrom=2000-01-01", true);
        check("email=%20A%2Bb@c.de%20", true);
        check("email=a+b@c.de", false);
        check("email=a%20b@c.de", false);
        for half in ["nobody", "@c.de", "a@", "a@c", "", "%20"] {
            check(&format!("email={half}"), false);
        }
        check("name=+Ada++Lee+", true);
        check("name=+", false);
        check("name=%E2%80%8B", false);
        check("name=%D9%80", false);
        check("name=%D9%86%E2%80%8C", true);
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
        check("dateOfBirthFrom=2000-02-28&dateOfBirthTo=2000-02-28", true);
        check("dateOfBirthFrom=2000-02-29&dateOfBirthTo=2000-02-28", false);
        check("offset=3", false);
        check("after=a&after=b", false);
    }

    #[test]
    fn defaults() {
        let listing = Listing::parse("").unwrap();
        let sort = Sort { key: SortKey::Name, descending: false };
        let expected = Listing { sort, filters: Filters::default(), limit: 50, cursor: None };
        assert_eq!(listing, expected);
    }

    fn seal() -> Seal {
        Seal::new(&[7; 32]).unwrap()
    }

    fn position() -> Position {
        Position { key: "anné".to_owned(), id: ID.to_owned() }
    }

    /// Follows the link from the page that ends at [`position`].
    fn follow(listing: &Listing) -> String {
        let link = listing.next_link(&seal(), &position()).unwrap();
        let link = link.to_str().unwrap().strip_prefix("</api/patients?").unwrap();
        link.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
    }

    #[test]
    fn a_cursor_belongs_to_its_question() {
        let next = follow(&Listing::parse("sort=name&name=a&limit=2").unwrap());
        let check = |from: &str, to: &str, accepted: bool| {
            let text = next.replacen(from, to, 1);
            let after = Listing::parse(&text).unwrap().after(&seal());
            let expected = if accepted { Ok(Some(position())) } else { Err(BAD_REQUEST) };
            assert_eq!(after.map_err(|problem| problem.kind()), expected, "{text}");
        };
        check("limit=2", "limit=3", true);
        check("sort=name", "sort=-name", false);
        check("name=a", "name=b", false);
        check("&name=a", "", false);
        check("limit=2", "limit=2&dateOfBirthTo=2000-01-01", false);
        check("after=", "after=A", false);
    }

    proptest! {
        #[test]
        fn links_lead_on_with_the_same_question(
            at in 0usize..6,
            name in prop::option::of("[a-z%+&\"é山]{1,20}"),
            email in prop::option::of("[A-Za-z+&%]{1,9}@[a-z]{1,9}\\.[a-z]{2,9}"),
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
            prop_assert_eq!(second.after(&seal()).unwrap(), Some(position()));
            prop_assert_eq!(Listing { cursor: None, ..second }, first);
        }
    }
}
