//! Patterns and paths, segment by segment: `{…}` in a pattern is any one segment, an empty one too.
//! What is in it is for whoever reads it to judge. Of two patterns that describe a path the one
//! with fewer of them is meant: `/things/last` is not the thing with the id `last`.

/// Whether the pattern describes this path.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let mut found = path.split('/');
    let fits = |wanted: &str| found.next().is_some_and(|it| is_hole(wanted) || it == wanted);
    pattern.split('/').all(fits) && found.next().is_none()
}

/// What is in the path where the pattern says `{name}`.
pub(super) fn segment<'a>(pattern: &str, path: &'a str, name: &str) -> Option<&'a str> {
    let place = |part: &str| is_hole(part) && part.trim_matches(['{', '}']) == name;
    path.split('/').nth(pattern.split('/').position(place)?)
}

/// The names in the pattern's holes, in order.
pub(super) fn holes(pattern: &str) -> impl Iterator<Item = &str> {
    let names = pattern.split('/').filter(|part| is_hole(part));
    names.map(|part| part.trim_matches(['{', '}']))
}

fn is_hole(part: &str) -> bool {
    part.starts_with('{')
}

/// Whether some path is described by both patterns.
pub(super) const fn overlap(one: &[u8], two: &[u8]) -> bool {
    let (mut one, mut two) = (one, two);
    loop {
        match (one, two) {
            ([], []) => return true,
            ([b'{', ..], _) | (_, [b'{', ..]) => (one, two) = (segment_end(one), segment_end(two)),
            ([a, rest @ ..], [b, others @ ..]) if *a == *b => (one, two) = (rest, others),
            _ => return false,
        }
    }
}

/// Whether every path that `narrow` describes is described by `wide`, too.
pub(super) const fn covers(wide: &[u8], narrow: &[u8]) -> bool {
    let (mut wide, mut narrow) = (wide, narrow);
    loop {
        match (wide, narrow) {
            ([], []) => return true,
            ([b'{', ..], _) => (wide, narrow) = (segment_end(wide), segment_end(narrow)),
            ([a, rest @ ..], [b, others @ ..]) if *a == *b => (wide, narrow) = (rest, others),
            _ => return false,
        }
    }
}

/// What follows the segment, from its slash on.
const fn segment_end(text: &[u8]) -> &[u8] {
    let mut left = text;
    while let [byte, rest @ ..] = left {
        if *byte == b'/' {
            return left;
        }
        left = rest;
    }
    left
}

/// Whether they are the same.
pub(super) const fn equal(one: &[u8], two: &[u8]) -> bool {
    let (mut one, mut two) = (one, two);
    loop {
        match (one, two) {
            ([], []) => return true,
            ([a, rest @ ..], [b, others @ ..]) if *a == *b => (one, two) = (rest, others),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        };
        check("/api/things", "/api/things", true);
        check("/api/things", "/api/thingsx", false);
        check("/api/things", "/api", false);
        check("/api/things", "/api/things/x", false);
        check("/api/things/{id}", "/api/things/x", true);
        check("/api/things/{id}", "/api/things/", true);
        check("/api/things/{id}", "/api/things", false);
        check("/api/things/{id}", "/api/things/x/y", false);
        check("/api/things/{id}/parts", "/api/things/x/parts", true);
        check("/api/things/{id}/parts", "/api/things/x/party", false);
        check("/api/things", "", false);
    }

    #[test]
    fn segments() {
        let pattern = "/a/{one}/b/{two}";
        assert_eq!(segment(pattern, "/a/x/b/y", "one"), Some("x"));
        assert_eq!(segment(pattern, "/a/x/b/y", "two"), Some("y"));
        assert_eq!(segment(pattern, "/a/x/b/y", "three"), None);
        assert_eq!(segment(pattern, "/a//b/", "one"), Some(""));
    }

    #[test]
    fn what_could_be_either() {
        let check = |one: &str, two: &str, expected: bool| {
            assert_eq!(overlap(one.as_bytes(), two.as_bytes()), expected, "{one} {two}");
            assert_eq!(overlap(two.as_bytes(), one.as_bytes()), expected, "{two} {one}");
        };
        check("/a", "/a", true);
        check("/a", "/b", false);
        check("/a", "/ab", false);
        check("/a/{id}", "/a/new", true);
        check("/a/{id}", "/a/{name}", true);
        check("/a/{id}", "/a", false);
        check("/a/{id}/x", "/a/{id}/y", false);
        check("/a/{id}/x", "/a/new/{id}", true);
        check("/a/{id}/x", "/a/new", false);
    }

    #[test]
    fn what_is_a_special_case() {
        let check = |wide: &str, narrow: &str, expected: bool| {
            assert_eq!(covers(wide.as_bytes(), narrow.as_bytes()), expected, "{wide} {narrow}");
        };
        check("/a/{id}", "/a/new", true);
        check("/a/new", "/a/{id}", false);
        check("/a/{id}", "/a/{name}", true);
        check("/a/{id}", "/a/new/x", false);
        check("/a/{id}/x", "/a/new/{id}", false);
        check("/a/{id}/{x}", "/a/new/{id}", true);
        assert_eq!(holes("/a/{one}/b/{two}").collect::<Vec<_>>(), ["one", "two"]);
    }
}
