//! Entity tags and the conditions that name them (RFC 9110, sections 8.8.3 and 13.1).
//!
//! Ours are strong and hold a version: `"7"`. A client may still send weak ones, lists and `*`.

use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue};

use crate::Problem;
use crate::problem::{BAD_REQUEST, STALE, UNCONDITIONAL};

/// Most tags read from one condition; a longer list is refused.
const TAGS_MAX: usize = 32;

/// The tag of a version.
pub fn of(version: i64) -> HeaderValue {
    // Digits between quotes are always a header value; the fallback is there for the types' sake.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client says in `If-None-Match` that it has this version.
pub fn is_known(headers: &HeaderMap, version: i64) -> bool {
    // One that cannot be read is as good as none: the client gets the whole answer.
    let known = Condition::read(headers, &IF_NONE_MATCH).ok().flatten();
    known.is_some_and(|known| known.covers(version))
}

/// What `If-Match` and `If-None-Match` ask of the version that a change finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// It has to be one of these; `None` if any will do.
    pub among: Option<Vec<i64>>,
    /// And none of these.
    pub besides: Vec<i64>,
}

impl Expected {
    /// Reads both conditions. One that cannot be read is 400: to ignore it would let a write
    /// through that was meant to be conditional.
    ///
    /// `If-None-Match: *` wants that there is nothing; what there is has no version that would do.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let among = required(headers, &IF_MATCH)?.and_then(|condition| condition.versions());
        Ok(match required(headers, &IF_NONE_MATCH)? {
            None => Self { among, besides: Vec::new() },
            Some(Condition::Any) => Self { among: Some(Vec::new()), besides: Vec::new() },
            Some(Condition::Tags(tags)) => {
                Self { among, besides: tags.iter().filter_map(Tag::version).collect() }
            }
        })
    }

    /// The same for a change that must not undo what its author has not seen: without `If-Match`
    /// it is 428. `If-None-Match: *` will do, because whatever is there keeps it from happening.
    pub fn demanded(headers: &HeaderMap) -> Result<Self, Problem> {
        let expected = Self::from_headers(headers)?;
        let creates = required(headers, &IF_NONE_MATCH)? == Some(Condition::Any);
        if headers.contains_key(IF_MATCH) || creates {
            return Ok(expected);
        }
        Err(Problem::new(UNCONDITIONAL).detail(
            "Send If-Match with the ETag that was last read, such as \"3\", so that nobody \
             else's change is lost; * stands for whatever version there is.",
        ))
    }
}

/// The answer to a change whose condition does not hold, with the reason as far as the headers
/// tell; `what` changed in the meantime if nothing else is wrong.
pub fn stale(headers: &HeaderMap, what: &str) -> Problem {
    let if_match = Condition::read(headers, &IF_MATCH).ok().flatten();
    let named = if_match.and_then(|it| it.versions());
    let detail = if named.as_ref().is_some_and(Vec::is_empty) {
        "No tag in If-Match is one that was given out here. Weak tags (W/\"3\") never match, and \
         neither do those to which a proxy added something (\"3-gzip\"): send the ETag as this \
         service sent it, such as \"3\"."
            .to_owned()
    } else if headers.contains_key(IF_NONE_MATCH) {
        format!("{what} is there, in a version that If-None-Match excludes. Nothing was changed.")
    } else if named.is_some() {
        format!("{what} has changed since the version in If-Match. Read it again.")
    } else {
        format!("{what} has changed since what was sent was read. Read it again.")
    };
    Problem::new(STALE).detail(detail)
}

/// One tag as a client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Whether it began with `W/`.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: String,
}

impl Tag {
    /// The version that it is the tag of, if it is one of ours.
    fn version(&self) -> Option<i64> {
        self.opaque.parse::<i64>().ok().filter(|version| version.to_string() == self.opaque)
    }
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
    /// Whether the version is among the tags by weak comparison, as `If-None-Match` wants it.
    pub fn covers(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag.version() == Some(version)),
        }
    }

    /// The versions that would satisfy `If-Match`, which compares strongly: weak tags and tags we
    /// never gave out satisfy nothing. `None` stands for `*`.
    pub fn versions(&self) -> Option<Vec<i64>> {
        match self {
            Self::Any => None,
            Self::Tags(tags) => {
                let strong = tags.iter().filter(|tag| !tag.weak);
                Some(strong.filter_map(Tag::version).collect())
            }
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

/// A condition on a change.
fn required(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Condition>, Problem> {
    Condition::read(headers, name).map_err(|()| {
        let name = if *name == IF_MATCH { "If-Match" } else { "If-None-Match" };
        Problem::new(BAD_REQUEST)
            .detail(format!("{name} must be * or a list of quoted entity tags, such as \"3\"."))
    })
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

    fn with(headers: &[(&HeaderName, &str)]) -> HeaderMap {
        let values = headers.iter().map(|(name, text)| ((*name).clone(), text.parse().unwrap()));
        values.collect()
    }

    #[test]
    fn a_header_that_cannot_be_read_stops_a_change_and_no_answer() {
        for name in [&IF_MATCH, &IF_NONE_MATCH] {
            let found = Expected::from_headers(&with(&[(name, "7")]));
            assert_eq!(found.map_err(|problem| problem.kind()), Err(BAD_REQUEST));
        }
        for (text, known) in [("*", true), ("\"7\"", true), ("\"6\"", false), ("7", false)] {
            assert_eq!(is_known(&with(&[(&IF_NONE_MATCH, text)]), 7), known, "{text}");
            assert!(!is_known(&with(&[(&IF_MATCH, text)]), 7), "{text}");
        }
    }

    #[test]
    fn what_a_change_expects() {
        let check = |headers: &[(&HeaderName, &str)], among: Option<&[i64]>, besides: &[i64]| {
            let expected =
                Expected { among: among.map(<[i64]>::to_vec), besides: besides.to_vec() };
            assert_eq!(Expected::from_headers(&with(headers)), Ok(expected), "{headers:?}");
        };
        check(&[], None, &[]);
        check(&[(&IF_MATCH, "*")], None, &[]);
        check(&[(&IF_MATCH, "\"6\", \"7\"")], Some(&[6, 7]), &[]);
        check(&[(&IF_MATCH, "W/\"7\"")], Some(&[]), &[]);
        check(&[(&IF_NONE_MATCH, "*")], Some(&[]), &[]);
        check(&[(&IF_NONE_MATCH, "W/\"7\", \"x\"")], None, &[7]);
        check(&[(&IF_MATCH, "\"7\""), (&IF_NONE_MATCH, "\"6\"")], Some(&[7]), &[6]);
        check(&[(&IF_MATCH, "\"7\""), (&IF_NONE_MATCH, "*")], Some(&[]), &[]);
    }

    #[test]
    fn a_change_says_which_version_it_is_of() {
        let check = |headers: &[(&HeaderName, &str)], expected: u16| {
            let found = Expected::demanded(&with(headers));
            let status = found.map_or_else(|problem| problem.kind().status.as_u16(), |_| 200);
            assert_eq!(status, expected, "{headers:?}");
        };
        check(&[], 428);
        check(&[(&IF_MATCH, "\"7\"")], 200);
        check(&[(&IF_MATCH, "*")], 200);
        check(&[(&IF_MATCH, "7")], 400);
        check(&[(&IF_NONE_MATCH, "*")], 200);
        check(&[(&IF_NONE_MATCH, "\"7\"")], 428);
        check(&[(&IF_NONE_MATCH, "\"7\""), (&IF_MATCH, "\"8\"")], 200);
    }

    #[test]
    fn a_refusal_says_what_was_wrong_with_the_condition() {
        let check = |name: &HeaderName, text: &str, part: &str| {
            let problem = stale(&with(&[(name, text)]), "The patient");
            assert_eq!(problem.kind(), STALE);
            let answer = problem.into_reply(&HeaderMap::new());
            let body = String::from_utf8(crate::reply::bytes(answer).to_vec()).unwrap();
            assert!(body.contains(part), "{text}: {body}");
        };
        check(&IF_MATCH, "\"6\"", "has changed since the version in If-Match");
        for text in ["W/\"7\"", "\"7-gzip\"", "\"\"", "\"*\""] {
            check(&IF_MATCH, text, "given out here");
        }
        check(&IF_NONE_MATCH, "*", "If-None-Match excludes");
        check(&IF_MATCH, "*", "since what was sent was read");
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
