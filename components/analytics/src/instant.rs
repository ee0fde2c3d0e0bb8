//! Moments as texts of RFC 3339, read strictly enough that PostgreSQL reads them the same way.

use chrono::{DateTime, Datelike, NaiveDateTime};
use kit::date;

/// A moment in UTC; `None` for what is no RFC 3339 or lies outside the years 1 to 9999, in which
/// every calendar involved agrees.
pub(crate) fn parse(text: &str) -> Option<NaiveDateTime> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.naive_utc();
    (1..=9999).contains(&at.year()).then_some(at)
}

/// The same moment as the database reads it and clients see it.
pub(crate) fn format(at: NaiveDateTime) -> String {
    date::format_instant(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse(text).map(format).as_deref(), expected, "{text}");
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
}
