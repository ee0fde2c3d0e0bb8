//! Calendar dates and instants as texts of ISO 8601 and RFC 3339.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, Timelike, Utc};

/// Reads `yyyy-mm-dd`, and nothing else: no signs, no spaces, no one-digit months, no year 0 (which
/// PostgreSQL does not have).
pub fn parse(text: &str) -> Option<NaiveDate> {
    let shape = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    if text.len() != 10 || !text.bytes().enumerate().all(shape) {
        return None;
    }
    let year = text.get(0..4)?.parse().ok().filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(year, text.get(5..7)?.parse().ok()?, text.get(8..10)?.parse().ok()?)
}

/// Writes `yyyy-mm-dd`.
pub fn format(date: NaiveDate) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// Reads a moment of RFC 3339, as UTC; `None` outside the years 1 to 9999, in which every calendar
/// involved agrees.
pub fn parse_instant(text: &str) -> Option<NaiveDateTime> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.naive_utc();
    (1..=9999).contains(&at.year()).then_some(at)
}

/// Writes a moment in UTC as RFC 3339 with microseconds, which is what PostgreSQL keeps.
pub fn format_instant(at: NaiveDateTime) -> String {
    let at = at.trunc_subsecs(6);
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    let micros = at.nanosecond() / 1_000;
    format!("{}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", format(at.date()))
}

/// A moment that was sent, as [`format_instant`] writes it, or what is expected.
pub fn moment(text: &str) -> Result<String, &'static str> {
    let expected = "must be a moment, such as 2024-02-29T01:02:03.000000Z";
    parse_instant(text).map(format_instant).ok_or(expected)
}

/// Today's date in UTC, the one calendar all replicas and callers can agree on.
pub fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// How far ahead of UTC anybody's clock is: Kiritimati's.
const FARTHEST_EAST: TimeDelta = TimeDelta::hours(14);

/// The latest date that is today anywhere: what is after it is in everybody's future.
pub fn today_anywhere() -> NaiveDate {
    (Utc::now() + FARTHEST_EAST).date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_iso_dates() {
        let check = |text: &str, valid: bool| {
            assert_eq!(parse(text).map(format).as_deref(), valid.then_some(text), "{text}");
        };
        check("2024-02-29", true);
        check("0001-01-01", true);
        check("9999-12-31", true);
        check("2023-02-29", false);
        check("1900-02-29", false);
        check("2024-13-01", false);
        check("2024-00-10", false);
        check("2024-01-32", false);
        check("0000-01-01", false);
        check("2024-1-1", false);
        check("20240101", false);
        check("2024-01-01T00:00:00Z", false);
        check("+024-01-01", false);
        check(" 2024-01-1", false);
        check("01/02/2024", false);
        check("２０２４", false);
        check("", false);
    }

    #[test]
    fn moments() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse_instant(text).map(format_instant).as_deref(), expected, "{text}");
        };
        check("2024-02-29T01:02:03Z", Some("2024-02-29T01:02:03.000000Z"));
        check("2024-02-29T01:02:03.1234567+02:00", Some("2024-02-28T23:02:03.123456Z"));
        check("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59.000000Z"));
        check("9999-12-31T23:59:59-01:00", None);
        check("0001-01-01T00:00:00+01:00", None);
        check("2023-02-29T00:00:00Z", None);
        check("2024-02-29", None);
        check("2024-02-29T01:02:03", None);
        check("now", None);
        check("", None);
    }

    #[test]
    fn instants_have_microseconds() {
        let at =
            NaiveDate::from_ymd_opt(2024, 1, 2).unwrap().and_hms_micro_opt(3, 4, 5, 60).unwrap();
        assert_eq!(format_instant(at), "2024-01-02T03:04:05.000060Z");
    }

    proptest! {
        #[test]
        fn every_date_survives(days in 1i32..3_652_059) {
            let date = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
            prop_assert_eq!(parse(&format(date)), Some(date));
        }
    }
}
