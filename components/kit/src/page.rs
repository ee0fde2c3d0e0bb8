//! Paging: how many, and how the next page is linked. Where it goes on is [sealed](crate::seal).

use http::HeaderValue;
use http::header::LINK;

use crate::problem::INTERNAL;

use crate::query::{self, Query};
use crate::{Problem, Reply};

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

/// Leaves as many of what was read as a page shows, and says whether more was there: whoever lists
/// reads one more than the limit to learn that.
pub fn cut<T>(items: &mut Vec<T>, limit: u32) -> bool {
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > shown;
    items.truncate(shown);
    more
}

/// A page that another one follows, with the link to that. There has to be one: without it the list
/// would seem to end here.
pub fn linked(mut answer: Reply, link: Option<HeaderValue>) -> Result<Reply, Problem> {
    answer.headers_mut().insert(LINK, link.ok_or_else(|| Problem::new(INTERNAL))?);
    Ok(answer)
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
    fn one_more_than_is_shown_tells_of_another_page() {
        let check = |read: usize, expected: (usize, bool)| {
            let mut items: Vec<usize> = (0..read).collect();
            let more = cut(&mut items, 2);
            assert_eq!((items.len(), more), expected, "{read}");
        };
        check(0, (0, false));
        check(2, (2, false));
        check(3, (2, true));
        let answer = || crate::reply::empty(http::StatusCode::OK);
        let link = next_link("/api/x", &[]);
        assert!(linked(answer(), link).is_ok_and(|answer| answer.headers().contains_key(LINK)));
        assert!(linked(answer(), None).is_err());
    }

    #[test]
    fn links() {
        let link = next_link("/api/x", &[("name", "a>b \"é"), ("after", "c")]).unwrap();
        assert_eq!(link, "</api/x?name=a%3Eb%20%22%C3%A9&after=c>; rel=\"next\"");
    }
}
