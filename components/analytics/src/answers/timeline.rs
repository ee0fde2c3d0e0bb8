//! `GET /api/analytics/timeline?bucket=minute|hour|day&from=…&to=…`: registrations, updates,
//! deletions and erasures by when they happened. Every bucket of the span is there, also the empty
//! ones.

use chrono::{Datelike, DurationRound, NaiveDateTime, TimeDelta, Utc};
use http::StatusCode;
use kit::database::{self, Fault, Row};
use kit::query::Query;
use kit::route::Call;
use kit::{Problem, Reply, date, problem, reply};
use serde::Serialize;

use crate::limits::BUCKETS_MAX;

/// How many buckets are shown when nobody says from when.
const BUCKETS_DEFAULT: i32 = 60;

/// The years a timeline may be of: no event lies outside, and moments can be truncated in them.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2199;

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Timeline {
    bucket: &'static str,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    from: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    to: String,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Bucket {
    /// When it begins.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    at: String,
    created: i64,
    updated: i64,
    deleted: i64,
    erased: i64,
}

impl Bucket {
    fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            at: date::format_instant(row.instant(0)?),
            created: row.bigint(1)?,
            updated: row.bigint(2)?,
            deleted: row.bigint(3)?,
            erased: row.bigint(4)?,
        })
    }
}

/// Which buckets are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Span {
    bucket: &'static str,
    /// The first bucket's beginning.
    from: NaiveDateTime,
    /// Where the last one begins before.
    to: NaiveDateTime,
}

impl Span {
    /// Reads the query. Without `to` the span ends with the bucket that `now` is in.
    pub(crate) fn parse(text: &str, now: NaiveDateTime) -> Result<Self, Problem> {
        let mut query = Query::parse(text)?;
        let bucket = bucket(&mut query);
        let from = moment(&mut query, "from");
        let to = moment(&mut query, "to");
        let span = bucket.and_then(|(bucket, size)| {
            let to = to.or_else(|| now.checked_add_signed(size)?.duration_trunc(size).ok())?;
            let default = || to.checked_sub_signed(size * BUCKETS_DEFAULT);
            let from = from.or_else(default)?.duration_trunc(size).ok()?;
            check(&mut query, from, to, size)?;
            Some(Self { bucket, from, to })
        });
        query.finish()?;
        span.ok_or_else(|| Problem::new(problem::INTERNAL))
    }
}

fn bucket(query: &mut Query) -> Option<(&'static str, TimeDelta)> {
    let text = query.take("bucket").unwrap_or_default();
    match text.as_str() {
        "minute" => Some(("minute", TimeDelta::minutes(1))),
        "hour" => Some(("hour", TimeDelta::hours(1))),
        "day" => Some(("day", TimeDelta::days(1))),
        _ => query.fail("bucket", "must be minute, hour or day"),
    }
}

fn moment(query: &mut Query, name: &str) -> Option<NaiveDateTime> {
    let text = query.take(name)?;
    let at = date::parse_instant(&text).filter(|at| YEARS.contains(&at.year()));
    at.or_else(|| {
        query.fail(name, "must be a moment, such as 2024-02-29T01:02:03Z; a + in it is written %2B")
    })
}

fn check(query: &mut Query, from: NaiveDateTime, to: NaiveDateTime, size: TimeDelta) -> Option<()> {
    if from >= to {
        return query.fail("to", "must be later than from");
    }
    if to - from > size * i32::try_from(BUCKETS_MAX).unwrap_or(i32::MAX) {
        return query.fail("from", format!("must be at most {BUCKETS_MAX} buckets before to"));
    }
    Some(())
}

/// Answers.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    let span = Span::parse(call.query, Utc::now().naive_utc())?;
    let (from, to) = (date::format_instant(span.from), date::format_instant(span.to));
    let values = [database::text(span.bucket), database::text(&from), database::text(&to)];
    let found = async {
        let database = crate::database().await?;
        let rows = database
            .query(include_str!("../store/timeline.sql"), call.caller.access().values(values));
        rows.await?.iter().map(Bucket::from_row).collect::<Result<Vec<_>, _>>()
    };
    let buckets = found.await.map_err(crate::failed(call))?;
    let timeline = Timeline { bucket: span.bucket, from, to, buckets };
    Ok(reply::json(StatusCode::OK, &timeline))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The span of a query at 2024-02-29T12:34:56.7Z.
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let now = date::parse_instant("2024-02-29T12:34:56.7Z").unwrap();
        let span = Span::parse(text, now);
        if let Err(problem) = &span {
            assert_eq!(problem.kind(), problem::BAD_REQUEST, "{text}");
        }
        let found =
            span.map(|span| (date::format_instant(span.from), date::format_instant(span.to)));
        let whole = |text: &str| format!("{text}:00.000000Z");
        let expected = expected.map(|(from, to)| (whole(from), whole(to)));
        assert_eq!(found.ok(), expected, "{text}");
    }

    #[test]
    fn spans() {
        check("bucket=minute", Some(("2024-02-29T11:35", "2024-02-29T12:35")));
        check("bucket=hour", Some(("2024-02-27T01:00", "2024-02-29T13:00")));
        check("bucket=day", Some(("2024-01-01T00:00", "2024-03-01T00:00")));
        check(
            "bucket=day&from=2024-02-01T10:00:00Z&to=2024-02-02T10:00:00Z",
            Some(("2024-02-01T00:00", "2024-02-02T10:00")),
        );
        check(
            "bucket=hour&from=2024-02-01T00:30:00%2B01:00",
            Some(("2024-01-31T23:00", "2024-02-29T13:00")),
        );
    }

    #[test]
    fn what_is_refused() {
        check("", None);
        check("bucket=", None);
        check("bucket=week", None);
        check("bucket=day&from=2024-02-01", None);
        check("bucket=day&to=x", None);
        check("bucket=day&from=2024-03-02T00:00:00Z", None);
        check("bucket=day&from=2024-02-02T00:00:00Z&to=2024-02-02T00:00:00Z", None);
        check("bucket=day&days=3", None);
        check("bucket=minute&from=0001-01-01T00:00:00Z&to=9999-12-31T00:00:00Z", None);
        check("bucket=day&to=1899-12-31T23:59:59Z", None);
        check("bucket=day&to=2200-01-01T00:00:00Z", None);
    }

    #[test]
    fn a_timeline_has_a_limit() {
        let query = |minutes: i64| {
            let from = date::parse_instant("2024-01-01T00:00:00Z").unwrap();
            let to = date::format_instant(from + TimeDelta::minutes(minutes));
            format!("bucket=minute&from=2024-01-01T00:00:00Z&to={to}")
        };
        assert!(Span::parse(&query(BUCKETS_MAX), NaiveDateTime::default()).is_ok());
        assert!(Span::parse(&query(BUCKETS_MAX + 1), NaiveDateTime::default()).is_err());
    }
}
