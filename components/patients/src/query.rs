//! The question that is asked of patients: order, filters, and where to go on. It comes as the body
//! of `POST /api/patients/search`; or as `GET /api/patients?…`, whose filters stand in a URL, which
//! histories and logs keep, and are taken only where the application says so.

use chrono::NaiveDate;
use kit::database::Fault;
use kit::fields::Fields;
use kit::page::LIMIT_MAX;
use kit::problem::INTERNAL;
use kit::query::{self, Query};
use kit::seal::Seal;
use kit::{Problem, date, email, page, text};
use serde_json::Value;
use spin_sdk::variables;

use crate::store::Position;
use crate::{COLLECTION, SEARCH};

/// Longest filter text, in characters: no stored value is longer.
const FILTER_MAX_CHARS: usize = 254;
/// The names of filters.
const FILTERS: [&str; 4] = ["name", "email", "dateOfBirthFrom", "dateOfBirthTo"];
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

/// Where filters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the URL, and in the links to next pages.
    Url,
    /// In the body, which comes again for each page; links have the position and nothing else.
    Body,
}

/// Whether filters are taken in URLs: the application's choice, in its variable `patient_filters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UrlFilters {
    Refused,
    Taken,
}

impl UrlFilters {
    /// The component's variable.
    const VARIABLE: &str = "patient_filters";

    /// The application's choice, if it matters to this query; [`Self::Refused`] where it says
    /// nothing.
    pub(crate) async fn read(query: &Query) -> Result<Self, Fault> {
        if !FILTERS.iter().any(|name| query.has(name)) {
            return Ok(Self::Refused);
        }
        match variables::get(Self::VARIABLE).await.as_deref() {
            Err(_) | Ok("body") => Ok(Self::Refused),
            Ok("url") => Ok(Self::Taken),
            Ok(_) => Err(Fault::Other(format!("variable-{}", Self::VARIABLE))),
        }
    }
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
    place: Place,
}

impl Listing {
    /// Reads the query string of a list; 400 with everything that is wrong in it.
    pub(crate) fn of_list(mut query: Query, url_filters: UrlFilters) -> Result<Self, Problem> {
        let sort = match query.take("sort") {
            Some(text) => Sort::named(&text).map_err(|it| query.fail::<()>("sort", it)).ok(),
            None => Some(Sort::DEFAULT),
        };
        let filters = filters_of(&mut query, url_filters);
        let limit = page::limit(&mut query);
        let cursor = query.take("after");
        query.finish()?;
        Self::whole(sort, filters, limit, cursor, Place::Url)
    }

    /// Reads a search: its document, and the query string, which says where to go on.
    pub(crate) fn of_search(text: &str, document: Value) -> Result<Self, Problem> {
        let mut query = Query::parse(text)?;
        let cursor = query.take("after");
        query.finish()?;
        let mut fields = Fields::new(document)?;
        let sort = fields.optional("sort", |fields, name| fields.parsed(name, Sort::named));
        let filters = Filters {
            name: fields.optional("name", |fields, name| fields.parsed(name, beginning)),
            email: fields.optional("email", |fields, name| fields.parsed(name, address)),
            born_from: fields.optional("dateOfBirthFrom", Fields::date),
            born_to: fields.optional("dateOfBirthTo", Fields::date),
        };
        if filters.are_nobodys() {
            fields.fail::<()>("dateOfBirthTo", BEFORE_FROM);
        }
        let limit = fields.optional("limit", |fields, name| fields.integer(name, limit));
        fields.finish()?;
        let (sort, limit) = (sort.unwrap_or(Sort::DEFAULT), limit.unwrap_or(page::LIMIT_DEFAULT));
        Self::whole(Some(sort), filters, Some(limit), cursor, Place::Body)
    }

    /// Something is missing only after it failed, and then finish() has returned.
    fn whole(
        sort: Option<Sort>,
        filters: Filters,
        limit: Option<u32>,
        cursor: Option<String>,
        place: Place,
    ) -> Result<Self, Problem> {
        let whole = sort.zip(limit);
        let listing = whole.map(|(sort, limit)| Self { sort, filters, limit, cursor, place });
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
        match self.place {
            Place::Body => page::next_link(SEARCH, &[("after", &cursor)]),
            Place::Url => self.link_in_full(&cursor),
        }
    }

    fn link_in_full(&self, cursor: &str) -> Option<http::HeaderValue> {
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
            ("after", Some(cursor)),
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

    /// The order when nobody names one.
    const DEFAULT: Self = Self { key: SortKey::Name, descending: false };

    fn named(text: &str) -> Result<Self, &'static str> {
        let found = Self::ALL.iter().find(|(name, ..)| *name == text);
        let sort = found.map(|(_, key, descending)| Self { key: *key, descending: *descending });
        sort.ok_or("must be name, registeredDate or dateOfBirth, or one after a -")
    }

    fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        let found =
            all.find(|(_, key, descending)| (*key, *descending) == (self.key, self.descending));
        found.map_or("name", |(name, ..)| name)
    }
}

/// The filters in a URL, or that they do not belong there.
fn filters_of(query: &mut Query, url_filters: UrlFilters) -> Filters {
    let take = |name: &str| {
        let given = query.take(name)?;
        match url_filters {
            UrlFilters::Taken => Some(given),
            UrlFilters::Refused => query.fail(name, IN_THE_BODY),
        }
    };
    let [name, email, from, to] = FILTERS.map(take);
    let filters = Filters {
        name: name.and_then(|text| {
            beginning(&text).map_err(|expected| query.fail::<()>("name", expected)).ok()
        }),
        email: email.and_then(|text| {
            address(&text).map_err(|expected| query.fail::<()>("email", expected)).ok()
        }),
        born_from: from.and_then(|text| day(query, "dateOfBirthFrom", &text)),
        born_to: to.and_then(|text| day(query, "dateOfBirthTo", &text)),
    };
    if filters.are_nobodys() {
        query.fail::<()>("dateOfBirthTo", BEFORE_FROM);
    }
    filters
}

impl Filters {
    /// Nobody can be born then, and an empty list would say that nobody was.
    fn are_nobodys(&self) -> bool {
        self.born_from.zip(self.born_to).is_some_and(|(from, to)| from > to)
    }
}

/// What is said of a range that ends before it begins.
const BEFORE_FROM: &str = "must not be before dateOfBirthFrom";

/// What is said of a filter in a URL.
const IN_THE_BODY: &str = "does not belong in a URL, which logs and histories keep: send it in the \
    body of POST /api/patients/search";

/// The beginning of a name. It may end where a joiner would have stood inside a word: joiners are
/// not looked for.
fn beginning(given: &str) -> Result<String, String> {
    text::line(&text::without_joiners(given), FILTER_MAX_CHARS)
}

/// A whole address, folded. What can be nobody's finds nobody, and would read as "not there yet".
fn address(given: &str) -> Result<String, &'static str> {
    let expected =
        "must be a whole e-mail address (in a URL a + is written %2B: + is a blank there)";
    email::parse(given).map(|address| email::fold(&address)).map_err(|_| expected)
}

fn limit(number: i64) -> Result<u32, String> {
    let limit = u32::try_from(number).ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| format!("must be a number from 1 to {LIMIT_MAX}"))
}

fn day(query: &mut Query, name: &str, text: &str) -> Option<NaiveDate> {
    date::parse(text).or_else(|| query.fail(name, "must be a date, yyyy-mm-dd"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::problem::BAD_REQUEST;
    use proptest::prelude::*;
    use serde_json::json;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    #[test]
    fn what_is_refused() {
        let check = |text: &str, accepted: bool| {
            let found = list(text, UrlFilters::Taken);
            assert_eq!(found.is_ok(), accepted, "{text}");
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
        let listing = list("", UrlFilters::Refused).unwrap();
        let (sort, filters) = (Sort { key: SortKey::Name, descending: false }, Filters::default());
        let expected = Listing { sort, filters, limit: 50, cursor: None, place: Place::Url };
        assert_eq!(listing, expected);
        let search = Listing::of_search("", json!({})).unwrap();
        assert_eq!(search, Listing { place: Place::Body, ..expected });
    }

    #[test]
    fn filters_in_urls_are_for_applications_that_want_them() {
        for filter in ["name=a", "email=b@c.de", "dateOfBirthFrom=x", "dateOfBirthTo=2000-01-01"] {
            let problem = list(filter, UrlFilters::Refused).unwrap_err();
            assert_eq!(problem.kind(), BAD_REQUEST);
            assert!(format!("{problem:?}").contains("POST /api/patients/search"), "{problem:?}");
        }
        assert!(list("limit=3&sort=-name", UrlFilters::Refused).is_ok());
    }

    #[test]
    fn a_search_asks_what_a_list_asks() {
        let query = "limit=7&sort=-name&name=+a&email=B%2Bc@d.ef&dateOfBirthTo=2000-01-01";
        let listed = list(query, UrlFilters::Taken).unwrap();
        let document = json!({
            "limit": 7, "sort": "-name", "name": " a", "email": "B+c@d.ef",
            "dateOfBirthFrom": null, "dateOfBirthTo": "2000-01-01",
        });
        let search = Listing::of_search("", document.clone()).unwrap();
        assert_eq!(search, Listing { place: Place::Body, ..listed });
        let link = search.next_link(&seal(), &position()).unwrap();
        let after = link.to_str().unwrap().strip_prefix("</api/patients/search?").unwrap();
        let after = after.strip_suffix(">; rel=\"next\"").unwrap();
        assert!(after.starts_with("after=") && !after.contains('&'), "{after}");
        let next = Listing::of_search(after, document).unwrap();
        assert_eq!(next.after(&seal()), Ok(Some(position())));
        let other = Listing::of_search(after, json!({"name": "b"})).unwrap();
        assert!(other.after(&seal()).is_err());
    }

    #[test]
    fn what_is_refused_in_a_search() {
        for document in [
            json!({"name": ""}),
            json!({"name": 1}),
            json!({"email": "nobody"}),
            json!({"dateOfBirthFrom": "2000"}),
            json!({"limit": 0}),
            json!({"limit": 501}),
            json!({"limit": "7"}),
            json!({"sort": "address"}),
            json!({"after": "x"}),
            json!([]),
        ] {
            assert!(Listing::of_search("", document.clone()).is_err(), "{document}");
        }
        assert!(Listing::of_search("name=a", json!({})).is_err());
    }

    fn list(text: &str, url_filters: UrlFilters) -> Result<Listing, Problem> {
        Listing::of_list(Query::parse(text)?, url_filters)
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
        let taken = UrlFilters::Taken;
        let next = follow(&list("sort=name&name=a&limit=2", taken).unwrap());
        let check = |from: &str, to: &str, accepted: bool| {
            let text = next.replacen(from, to, 1);
            let after = list(&text, taken).unwrap().after(&seal());
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
            let taken = UrlFilters::Taken;
            let first = list(&kit::query::encode(&pairs), taken).unwrap();
            let second = list(&follow(&first), taken).unwrap();
            prop_assert_eq!(second.after(&seal()).unwrap(), Some(position()));
            prop_assert_eq!(Listing { cursor: None, ..second }, first);
        }
    }
}
