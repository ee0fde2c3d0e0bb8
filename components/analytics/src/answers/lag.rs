//! `GET /api/analytics/lag`: how long events were on their way, from what happened to here, and the
//! last one that came.

use chrono::NaiveDateTime;
use http::StatusCode;
use kit::database::{Fault, Row};
use kit::route::Call;
use kit::{Problem, Reply, date, reply};
use serde::Serialize;
use spin_sdk::pg::ParameterValue;

/// The spans that are looked at, in minutes up to now. The present minute counts as one.
const SPANS: [i64; 3] = [1, 5, 60];

#[derive(Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Lag {
    last: Option<Last>,
    spans: Vec<Span>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Last {
    sequence: i64,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    occurred_at: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    received_at: String,
}

/// How long the events received in the last so many minutes took.
#[derive(Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Span {
    minutes: i64,
    events: i64,
    /// `null` without events.
    mean_ms: Option<f64>,
    /// Half of them took less than this; the bounds are 1, 2, 5, 10, 20, 50, …
    p50_below_ms: Option<i64>,
    p99_below_ms: Option<i64>,
}

/// A row: of the last event (its sequence in the place of the number), or of one bar of one span.
struct Found {
    minutes: i64,
    below_ms: i64,
    events: i64,
    total_ms: i64,
    last: Option<(NaiveDateTime, NaiveDateTime)>,
}

impl Found {
    fn from_row(row: &Row) -> Result<Self, Fault> {
        let (occurred, received) = (row.get(4)?, row.get(5)?);
        Ok(Self {
            minutes: row.bigint(0)?,
            below_ms: row.bigint(1)?,
            events: row.bigint(2)?,
            total_ms: row.bigint(3)?,
            last: Option::zip(occurred, received),
        })
    }
}

/// Answers.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    super::no_parameters(call.query)?;
    let spans = ParameterValue::ArrayInt64(SPANS.iter().map(|minutes| Some(*minutes)).collect());
    let found = async {
        let database = crate::database().await?;
        let rows =
            database.query(include_str!("../store/lag.sql"), call.caller.access().values([spans]));
        rows.await?.iter().map(Found::from_row).collect::<Result<Vec<_>, _>>()
    };
    let found = found.await.map_err(crate::failed(call))?;
    Ok(reply::json(StatusCode::OK, &lag(&found)))
}

fn lag(found: &[Found]) -> Lag {
    let last = found.iter().find_map(|row| {
        let (occurred, received) = row.last?;
        Some(Last {
            sequence: row.events,
            occurred_at: date::format_instant(occurred),
            received_at: date::format_instant(received),
        })
    });
    Lag { last, spans: SPANS.iter().map(|minutes| span(*minutes, found)).collect() }
}

fn span(minutes: i64, found: &[Found]) -> Span {
    let mut bars: Vec<&Found> = found.iter().filter(|row| row.minutes == minutes).collect();
    bars.sort_by_key(|bar| bar.below_ms);
    let events = bars.iter().map(|bar| bar.events).sum();
    let total_ms: i64 = bars.iter().map(|bar| bar.total_ms).sum();
    // The bound of the bar in which the event is that so many of a hundred are not slower than.
    let percentile = |percent: i64| {
        let mut counted = 0;
        let reached = |bar: &&&Found| {
            counted += bar.events;
            counted * 100 >= events * percent
        };
        bars.iter().find(reached).map(|bar| bar.below_ms)
    };
    let (p50_below_ms, p99_below_ms) = (percentile(50), percentile(99));
    let mean_ms = (events > 0).then(|| total_ms as f64 / events as f64);
    Span { minutes, events, mean_ms, p50_below_ms, p99_below_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(minutes: i64, below_ms: i64, events: i64, total_ms: i64) -> Found {
        Found { minutes, below_ms, events, total_ms, last: None }
    }

    #[test]
    fn nothing_ever_came() {
        let expected = serde_json::json!({"last": null, "spans": [
            {"minutes": 1, "events": 0, "meanMs": null, "p50BelowMs": null, "p99BelowMs": null},
            {"minutes": 5, "events": 0, "meanMs": null, "p50BelowMs": null, "p99BelowMs": null},
            {"minutes": 60, "events": 0, "meanMs": null, "p50BelowMs": null, "p99BelowMs": null},
        ]});
        assert_eq!(serde_json::to_value(lag(&[])).unwrap(), expected);
    }

    #[test]
    fn bars_become_percentiles() {
        let check = |bars: &[(i64, i64)], expected: (Option<i64>, Option<i64>)| {
            let found: Vec<Found> = bars.iter().map(|(ms, n)| bar(5, *ms, *n, *n)).collect();
            let span = span(5, &found);
            assert_eq!((span.p50_below_ms, span.p99_below_ms), expected, "{bars:?}");
        };
        check(&[(10, 1)], (Some(10), Some(10)));
        check(&[(10, 50), (20, 50)], (Some(10), Some(20)));
        check(&[(10, 49), (20, 51)], (Some(20), Some(20)));
        check(&[(20, 1), (10, 99)], (Some(10), Some(10)));
        check(&[(10, 98), (20, 1), (50, 1)], (Some(10), Some(20)));
    }

    #[test]
    fn spans_do_not_mix() {
        let found = [bar(1, 10, 2, 9), bar(5, 10, 2, 9), bar(5, 20, 2, 31)];
        let lag = lag(&found);
        let means: Vec<_> = lag.spans.iter().map(|span| (span.events, span.mean_ms)).collect();
        assert_eq!(means, [(2, Some(4.5)), (4, Some(10.0)), (0, None)]);
    }

    #[test]
    fn the_last_event_is_told() {
        let at = |text| date::parse_instant(text).unwrap();
        let last = Some((at("2024-01-01T00:00:00Z"), at("2024-01-01T00:00:01Z")));
        let found = [Found { last, ..bar(0, 0, 7, 0) }];
        let expected = Last {
            sequence: 7,
            occurred_at: "2024-01-01T00:00:00.000000Z".to_owned(),
            received_at: "2024-01-01T00:00:01.000000Z".to_owned(),
        };
        assert_eq!(lag(&found).last, Some(expected));
    }
}
