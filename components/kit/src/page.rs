//! Paging: how many, and how the next page is linked. Where it goes on is [sealed](crate::seal).

use http::HeaderValue;

use crate::query::{self, Query};

/// Items on a page when nobody says otherwise.
pub const LIMIT_DEFAULT: u32 = 50;
/// Most items on a page.
pub const LIMIT_MAX: u32 = 500;

/// Takes `limit` from the query: 1 to [`LIMIT_MAX`], or [`LIMIT_DEFAULT`] without it.
pub fn limit(query: &mut Query) -> Option<u32> {
    let Some(text) = query.take("limit") else { return Some(LIMIT_DEFAULT) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text.parse().ok().filter(|limit| digits && (1..=LIMIT_MAX).contains(limit));
    limit.or_else(|| query.fail("limit", format!("must be a number from 1 to {LIMIT_MAX}")))
}

/// `Link: <…>; rel="next"` (RFC 8288). `path` is ours; the pairs are escaped.
pub fn next_link(path: &str, pairs: &[(&str, &str)]) -> Option<HeaderValue> {
    let target = format!("<{path}?{}>; rel=\"next\"", query::encode(pairs));
    HeaderValue::try_from(target).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let check = |text: &str, expected: Option<u32>| {
            let mut query = Query::parse(text).unwrap();
            assert_eq!(limit(&mut query), expected, "{text}");
            assert_eq!(query.finish().is_ok(), expected.is_some(), "{text}");
        };
        check("", Some(50));
        check("limit=1", Some(1));
        check("limit=500", Some(500));
        check("limit=0", None);
        check("limit=501", None);
        check("limit=-1", None);
        check("limit=%2B1", None);
        check("limit=", None);
        check("limit=ten", None);
        check("limit=99999999999", None);
    }

    #[test]
    fn links() {
        let link = next_link("/api/x", &[("name", "a>b \"é"), ("after", "c")]).unwrap();
        assert_eq!(link, "</api/x?name=a%3Eb%20%22%C3%A9&after=c>; rel=\"next\"");
    }
}
