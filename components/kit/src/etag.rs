//! Entity tags and the conditions that name them (RFC 9110, sections 8.8.3 and 13.1).
//!
//! Ours are strong and hold a version: `"7"`. A client may still send weak ones, lists and `*`.

use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue};

use crate::Problem;
use crate::problem::BAD_REQUEST;

/// Most tags read from one condition; a longer list is refused.
const TAGS_MAX: usize = 32;

/// The tag of a version.
pub fn of(version: i64) -> HeaderValue {
    // Digits between quotes are always a header value; the fallback is there for the types' sake.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client says in `If-None-Match` that it has this version.
pub fn is_known(headers: &HeaderMap, version: i64) -> bool {
    Condition::if_none_match(headers).is_some_and(|known| known.covers(version))
}

/// The versions that `If-Match` accepts; `None` if any will do.
pub fn expected_versions(headers: &HeaderMap) -> Result<Option<Vec<i64>>, Problem> {
    Ok(Condition::if_match(headers)?.and_then(|condition| condition.versions()))
}

/// One tag as a client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Whether it began with `W/`.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: String,
}

/// What `If-Match` or `If-None-Match` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `*`: any version at all.
    Any,
    /// One of these.
    Tags(Vec<Tag>),
}

impl Condition {
    /// Reads `If-Match`. A condition that cannot be read is 400: to ignore it would let a write
    /// through that was meant to be conditional.
    pub fn if_match(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        Self::read(headers, &IF_MATCH).map_err(|()| {
            Problem::new(BAD_REQUEST)
                .detail("If-Match must be * or a list of quoted entity tags, such as \"3\".")
        })
    }

    /// Reads `If-None-Match`. One that cannot be read is as good as none: the client gets the
    /// whole answer.
    pub fn if_none_match(headers: &HeaderMap) -> Option<Self> {
        Self::read(headers, &IF_NONE_MATCH).ok().flatten()
    }

    /// Whether the version is among the tags by weak comparison, as `If-None-Match` wants it.
    pub fn covers(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => {
                let current = version.to_string();
                tags.iter().any(|tag| tag.opaque == current)
            }
        }
    }

    /// The versions that would satisfy `If-Match`, which compares strongly: weak tags and tags we
    /// never gave out satisfy nothing. `None` stands for `*`.
    pub fn versions(&self) -> Option<Vec<i64>> {
        let version = |tag: &Tag| {
            let version = tag.opaque.parse::<i64>().ok()?;
            (!tag.weak && version.to_string() == tag.opaque).then_some(version)
        };
        match self {
            Self::Any => None,
            Self::Tags(tags) => Some(tags.iter().filter_map(version).collect()),
        }
    }

    /// `Ok(None)` without the header. Several lines of one header are one list.
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, ()> {
        let mut lines = Vec::new();
        for line in headers.get_all(name) {
            lines.push(line.to_str().map_err(drop)?);
        }
        if lines.is_empty() { Ok(None) } else { parse(&lines.join(",")).map(Some) }
    }
}

fn parse(text: &str) -> Result<Condition, ()> {
    if text.trim() == "*" {
        return Ok(Condition::Any);
    }
    let mut tags = Vec::new();
    let mut rest = text;
    loop {
        // Empty elements are allowed in lists (RFC 9110, section 5.6.1.2).
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let (tag, after) = parse_tag(rest).ok_or(())?;
        tags.push(tag);
        rest = after.trim_start_matches([' ', '\t']);
        if !(rest.is_empty() || rest.starts_with(',')) || tags.len() > TAGS_MAX {
            return Err(());
        }
    }
    if tags.is_empty() { Err(()) } else { Ok(Condition::Tags(tags)) }
}

/// The tag at the beginning of the text, and what follows it.
fn parse_tag(text: &str) -> Option<(Tag, &str)> {
    let (weak, text) = match text.strip_prefix("W/") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (opaque, after) = text.strip_prefix('"')?.split_once('"')?;
    let tag = Tag { weak, opaque: opaque.to_owned() };
    opaque.bytes().all(|byte| byte.is_ascii_graphic()).then_some((tag, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(weak: bool, opaque: &str) -> Tag {
        Tag { weak, opaque: opaque.to_owned() }
    }

    fn check(lines: &[&str], expected: Result<Option<Condition>, ()>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_MATCH, line.parse().unwrap());
        }
        assert_eq!(Condition::read(&headers, &IF_MATCH), expected, "{lines:?}");
    }

    #[test]
    fn conditions() {
        check(&[], Ok(None));
        check(&["*"], Ok(Some(Condition::Any)));
        check(&["\"1\""], Ok(Some(Condition::Tags(vec![tag(false, "1")]))));
        check(&["W/\"1\""], Ok(Some(Condition::Tags(vec![tag(true, "1")]))));
        let two = Condition::Tags(vec![tag(false, "a,b"), tag(true, "")]);
        check(&["\"a,b\" , W/\"\""], Ok(Some(two.clone())));
        check(&["\"a,b\"", "W/\"\""], Ok(Some(two.clone())));
        check(&[", ,\"a,b\",,W/\"\", "], Ok(Some(two)));
        check(&[""], Err(()));
        check(&[","], Err(()));
        check(&["1"], Err(()));
        check(&["\"1"], Err(()));
        check(&["\"1\" \"2\""], Err(()));
        check(&["\"1\", *"], Err(()));
        check(&["w/\"1\""], Err(()));
        check(&["\"a b\""], Err(()));
        let many = |tags: usize| vec!["\"1\""; tags].join(",");
        let most = Condition::Tags(vec![tag(false, "1"); TAGS_MAX]);
        check(&[&many(TAGS_MAX)], Ok(Some(most)));
        check(&[&many(TAGS_MAX + 1)], Err(()));
    }

    #[test]
    fn comparisons() {
        let check = |text: &str, covers: bool, versions: Option<&[i64]>| {
            let condition = parse(text).unwrap();
            assert_eq!(condition.covers(7), covers, "{text}");
            assert_eq!(condition.versions().as_deref(), versions, "{text}");
        };
        check("*", true, None);
        check("\"7\"", true, Some(&[7]));
        check("W/\"7\"", true, Some(&[]));
        check("\"6\", \"7\"", true, Some(&[6, 7]));
        check("\"07\"", false, Some(&[]));
        check("\"+7\"", false, Some(&[]));
        check("\"abc\"", false, Some(&[]));
        check("\"99999999999999999999\"", false, Some(&[]));
    }

    #[test]
    fn a_header_that_cannot_be_read_stops_a_change_and_no_answer() {
        let check = |text: &str, known: bool, expected: Option<Option<&[i64]>>| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, text.parse().unwrap());
            assert_eq!(is_known(&headers, 7), known, "{text}");
            assert_eq!(expected_versions(&headers), Ok(None), "{text}");
            headers.clear();
            headers.insert(IF_MATCH, text.parse().unwrap());
            assert!(!is_known(&headers, 7), "{text}");
            let found = expected_versions(&headers).map_err(|problem| problem.kind());
            let expected = expected.map(|versions| versions.map(<[i64]>::to_vec));
            assert_eq!(found, expected.ok_or(BAD_REQUEST), "{text}");
        };
        check("*", true, Some(None));
        check("\"7\"", true, Some(Some(&[7])));
        check("\"6\"", false, Some(Some(&[6])));
        check("7", false, None);
    }

    proptest! {
        #[test]
        fn lists_survive(tags in prop::collection::vec((any::<bool>(), "[!#-~]{0,8}"), 1..8)) {
            let tags: Vec<Tag> = tags.into_iter().map(|(weak, text)| tag(weak, &text)).collect();
            let text = tags.iter().map(|tag| {
                format!("{}\"{}\"", if tag.weak { "W/" } else { "" }, tag.opaque)
            });
            let text = text.collect::<Vec<_>>().join(", ");
            prop_assert_eq!(parse(&text), Ok(Condition::Tags(tags)));
        }

        #[test]
        fn never_panics(text in "\\PC{0,32}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_version_covers_itself(version in any::<i64>()) {
            let condition = parse(of(version).to_str().unwrap()).unwrap();
            prop_assert!(condition.covers(version));
            prop_assert_eq!(condition.versions(), Some(vec![version]));
        }
    }
}
