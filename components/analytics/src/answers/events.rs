//! `GET /api/analytics/events`: the applied events, a page at a time, by their sequence.

use http::{HeaderValue, StatusCode};
use kit::database;
use kit::query::{self, Query};
use kit::route::Call;
use kit::seal::Seal;
use kit::{Problem, Reply, page, problem, reply};
use spin_sdk::pg::ParameterValue;

use super::event::Event;

const PATH: &str = "/api/analytics/events";

/// One page of one listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Newest first.
    descending: bool,
    patient: Option<String>,
    limit: u32,
    /// The sealed sequence of the last event of the page before, as it was sent.
    cursor: Option<String>,
}

impl Listing {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut query = Query::parse(text)?;
        let descending = match query.take("sort").as_deref() {
            None | Some("-sequence") => Some(true),
            Some("sequence") => Some(false),
            Some(_) => query.fail("sort", "must be sequence or -sequence"),
        };
        let patient = super::patient(&mut query);
        let limit = page::limit(&mut query);
        let cursor = query.take("after");
        query.finish()?;
        // Either is missing only after it failed, and then finish() has returned.
        let listing = descending.zip(limit);
        listing
            .map(|(descending, limit)| Self { descending, patient, limit, cursor })
            .ok_or_else(|| Problem::new(problem::INTERNAL))
    }

    /// The sequence after which the page begins; `None` for the first one.
    fn after(&self, seal: &Seal) -> Result<Option<i64>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let position = seal.position(cursor, &self.question());
        position.and_then(|position| position.parse().ok()).map(Some).ok_or_else(|| {
            query::wrong("after", "must come from a Link header for the same sort and patient")
        })
    }

    /// What has to stay the same from page to page.
    fn question(&self) -> String {
        format!("{} {:?}", self.sort(), self.patient)
    }

    fn sort(&self) -> &'static str {
        if self.descending { "-sequence" } else { "sequence" }
    }

    /// The header that leads to the page after the one that ends with this event.
    fn next_link(&self, seal: &Seal, last: i64) -> Option<HeaderValue> {
        let cursor = seal.cursor(&last.to_string(), &self.question())?;
        let limit = self.limit.to_string();
        let mut pairs = vec![("limit", limit.as_str()), ("sort", self.sort())];
        pairs.extend(self.patient.as_deref().map(|patient| ("patient", patient)));
        pairs.push(("after", &cursor));
        page::next_link(PATH, &pairs)
    }

    /// The statement for this order, and the values after the caller's: whose events, after which,
    /// and how many, one more than are shown, to learn whether more follow.
    fn statement(&self, after: Option<i64>) -> (&'static str, [ParameterValue; 3]) {
        let number = ParameterValue::Int64;
        let patient = self.patient.as_deref().map_or(ParameterValue::DbNull, database::uuid);
        let wanted = number(i64::from(self.limit) + 1);
        if self.descending {
            let after = number(after.unwrap_or(i64::MAX));
            return (include_str!("../store/events_descending.sql"), [patient, after, wanted]);
        }
        let after = number(after.unwrap_or(0));
        (include_str!("../store/events.sql"), [patient, after, wanted])
    }
}

/// Answers.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    let listing = Listing::parse(call.query)?;
    let seal = Seal::own(crate::database()).await.map_err(crate::failed(call))?;
    let (statement, values) = listing.statement(listing.after(&seal)?);
    let found = async {
        let values = values.into_iter().chain([crate::sees_restricted(call)]);
        let values = call.caller.access().values(values);
        let rows = crate::database().await?.query(statement, values).await?;
        rows.iter().map(Event::from_row).collect::<Result<Vec<_>, _>>()
    };
    let mut events = found.await.map_err(crate::failed(call))?;
    let more = page::cut(&mut events, listing.limit);
    let answer = reply::json(StatusCode::OK, &events);
    match events.last().filter(|_| more) {
        Some(last) => page::linked(answer, listing.next_link(&seal, last.sequence)),
        None => Ok(answer),
    }
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
        check("sort=sequence&limit=1", true);
        check("sort=-sequence&limit=500", true);
        check(&format!("patient={ID}"), true);
        check("sort=id", false);
        check("limit=0", false);
        check("limit=501", false);
        check("patient=me", false);
        check("type=PATIENT_CREATED", false);
    }

    fn seal() -> Seal {
        Seal::new(&[1; 32]).unwrap()
    }

    /// Follows the link from the page that ends with event 7.
    fn follow(listing: &Listing) -> String {
        let link = listing.next_link(&seal(), 7).unwrap();
        let link = link.to_str().unwrap().strip_prefix("</api/analytics/events?").unwrap();
        link.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
    }

    #[test]
    fn a_cursor_belongs_to_its_question() {
        let next = follow(&Listing::parse(&format!("patient={ID}")).unwrap());
        let check = |from: &str, to: &str, accepted: bool| {
            let text = next.replacen(from, to, 1);
            let listing = Listing::parse(&text).unwrap();
            assert_eq!(listing.after(&seal()).is_ok(), accepted, "{text}");
        };
        check("after=", "after=7", false);
        check("limit=50", "limit=3", true);
        check("sort=-sequence", "sort=sequence", false);
        check(&format!("&patient={ID}"), "", false);
    }

    proptest! {
        #[test]
        fn links_lead_on_with_the_same_question(
            descending in any::<bool>(),
            patient in any::<bool>(),
            limit in 1u32..=500,
        ) {
            let patient = patient.then(|| ID.to_owned());
            let first = Listing { descending, patient, limit, cursor: None };
            prop_assert!(first.after(&seal()).unwrap().is_none());
            let second = Listing::parse(&follow(&first)).unwrap();
            prop_assert_eq!(second.after(&seal()).unwrap(), Some(7));
            prop_assert_eq!(Listing { cursor: None, ..second }, first);
        }
    }
}
