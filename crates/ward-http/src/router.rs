//! Finds the route of a path. Routes are kept in the order in which they are to be tried, so that
//! the first match is the best: an application has a handful, and a scan over them beats a tree.
//! A look-up allocates only when the route has parameters.

use http::HeaderName;

use crate::pattern::Pattern;

/// Patterns with what they lead to.
#[derive(Debug)]
pub(crate) struct Router<T> {
    routes: Vec<(Pattern, T)>,
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) struct Found<'r, 'p, T> {
    /// What was registered with the route.
    pub(crate) target: &'r T,
    /// What the wildcard took, as Spin reports it: with its leading slash, and with the path's
    /// trailing slash; empty for an exact route.
    pub(crate) path_info: &'p str,
    pattern: &'r Pattern,
    captures: Vec<&'p str>,
}

impl<'r, 'p, T> Found<'r, 'p, T> {
    /// The parameters: header name and value.
    pub(crate) fn params(&self) -> impl Iterator<Item = (&'r HeaderName, &'p str)> {
        self.pattern.params().iter().zip(self.captures.iter().copied())
    }
}

impl<T> Router<T> {
    /// A router over `routes`. Among patterns that match the same paths the first one wins;
    /// removing duplicates is the caller's part, who can say which they were.
    pub(crate) fn new(mut routes: Vec<(Pattern, T)>) -> Self {
        routes.sort_by(|(a, _), (b, _)| a.precedence(b));
        Self { routes }
    }

    /// The best route for `path`, a URL's path as it came: nothing is decoded.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Option<Found<'_, 'p, T>> {
        let inner = path.trim_matches('/');
        let mut captures = Vec::new();
        self.routes.iter().find_map(|(pattern, target)| {
            let rest = pattern.matches(inner, &mut captures)?;
            let path_info = if pattern.is_wildcard() { path_info(path, inner, rest) } else { "" };
            Some(Found { target, path_info, pattern, captures: std::mem::take(&mut captures) })
        })
    }
}

/// The part of `path` from the slash before `rest` on, with at most one trailing slash.
fn path_info<'p>(path: &'p str, inner: &'p str, rest: &'p str) -> &'p str {
    let closed = path.ends_with('/');
    if rest.is_empty() {
        return if closed { "/" } else { "" };
    }
    let outer = path.len() - path.trim_start_matches('/').len();
    let end = outer + inner.len();
    let start = (end - rest.len()).saturating_sub(1);
    path.get(start..end + usize::from(closed)).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[&'static str]) -> Router<&'static str> {
        Router::new(routes.iter().map(|r| (Pattern::parse(r).unwrap(), *r)).collect())
    }

    /// `route path_info [name=value …]`, or `-`.
    fn show(router: &Router<&'static str>, path: &str) -> String {
        let Some(found) = router.find(path) else { return "-".to_owned() };
        let mut text = format!("{} {:?}", found.target, found.path_info);
        for (name, value) in found.params() {
            text += &format!(" {}={value}", name.as_str().trim_start_matches("spin-path-match-"));
        }
        text
    }

    /// Routes, path, what is found.
    const ROWS: &[(&[&str], &str, &str)] = &[
        // Exact routes: trailing slashes do not count, case and prefixes do.
        (&["/foo", "/foo/bar"], "/foo", r#"/foo """#),
        (&["/foo", "/foo/bar"], "/foo/", r#"/foo """#),
        (&["/foo", "/foo/bar"], "/foo/bar", r#"/foo/bar """#),
        (&["/foo/"], "/foo", r#"/foo/ """#),
        (&["foo"], "/foo", r#"foo """#),
        (&["/foo/bar"], "/foo//bar", "-"),
        (&["/foo/bar"], "//foo/bar//", r#"/foo/bar """#),
        (&["/foo/bar"], "/foobar", "-"),
        (&["/foo"], "/FOO", "-"),
        (&["/foo"], "/foobar", "-"),
        (&["/foo"], "/", "-"),
        (&["/"], "/", r#"/ """#),
        (&["/"], "/a", "-"),
        (&["/caf%C3%A9"], "/caf%C3%A9", r#"/caf%C3%A9 """#),
        (&["/a b"], "/a%20b", "-"),
        // Wildcards take the prefix itself and keep one trailing slash.
        (&["/..."], "/", r#"/... "/""#),
        (&["/..."], "/a/b", r#"/... "/a/b""#),
        (&["/*"], "/a/b", r#"/* "/a/b""#),
        (&["/foo/..."], "/foo", r#"/foo/... """#),
        (&["/foo/..."], "/foo/", r#"/foo/... "/""#),
        (&["/foo/..."], "/foo/x", r#"/foo/... "/x""#),
        (&["/foo/..."], "/foo/x/", r#"/foo/... "/x/""#),
        (&["/foo/..."], "/foo/x//", r#"/foo/... "/x/""#),
        (&["/foo/..."], "//foo/x", r#"/foo/... "/x""#),
        (&["/foo/..."], "/foo//x", r#"/foo/... "//x""#),
        (&["/foo/*"], "/foo/x/y", r#"/foo/* "/x/y""#),
        (&["/foo/..."], "/foobar", "-"),
        (&["/foo/..."], "/bar", "-"),
        (&["/foo*"], "/foo*", r#"/foo* """#),
        // The longest prefix wins whatever the order; exact beats wildcard.
        (&["/1/...", "/1/2/...", "/1/2/3/..."], "/1/2/3/4", r#"/1/2/3/... "/4""#),
        (&["/1/2/3/...", "/1/2/...", "/1/..."], "/1/2/x", r#"/1/2/... "/x""#),
        (&["/...", "/one"], "/one", r#"/one """#),
        (&["/...", "/one"], "/one/two", r#"/... "/one/two""#),
        (&["/one/...", "/one"], "/one/", r#"/one """#),
        (&["/...", "/"], "/", r#"/ """#),
        // Parameters take one segment; text beats them, they beat wildcards.
        (&["/x/:id"], "/x/1", r#"/x/:id "" id=1"#),
        (&["/x/:id"], "/x/1/", r#"/x/:id "" id=1"#),
        (&["/x/:id"], "/x/1/2", "-"),
        (&["/x/:id"], "/x/", "-"),
        (&["/x/:id"], "/x/a.b", r#"/x/:id "" id=a.b"#),
        (&["/x/:id/b"], "/x//b", r#"/x/:id/b "" id="#),
        (&["/x/:id/b"], "/x/1/b/", r#"/x/:id/b "" id=1"#),
        (&["/1/:two/..."], "/1/2/3", r#"/1/:two/... "/3" two=2"#),
        (&["/1/:two/..."], "/1/2", r#"/1/:two/... "" two=2"#),
        (&["/:User_Id/..."], "/7/", r#"/:User_Id/... "/" user-id=7"#),
        (&["/:a/:b"], "/1/2", r#"/:a/:b "" a=1 b=2"#),
        (&["/x/...", "/x/:id", "/x/me"], "/x/me", r#"/x/me """#),
        (&["/x/...", "/x/:id", "/x/me"], "/x/you", r#"/x/:id "" id=you"#),
        (&["/x/...", "/x/:id", "/x/me"], "/x/you/too", r#"/x/... "/you/too""#),
        (&["/:a", "/:b"], "/1", r#"/:a "" a=1"#),
        // A failed candidate leaves no captures behind.
        (&["/:a/:b/x", "/:c/..."], "/1/2/3", r#"/:c/... "/2/3" c=1"#),
        // Dots split parameters.
        (&["/x/:id.json"], "/x/7.json", r#"/x/:id.json "" id=7"#),
        (&["/x/:id.json"], "/x/7.b.json", "-"),
        (&["/:a.:b"], "/x.y", r#"/:a.:b "" a=x b=y"#),
        (&["/a.b/c"], "/a.b/c", r#"/a.b/c """#),
        (&["/a.b/c"], "/axb/c", "-"),
        (&["/:id", "/:id.json"], "/7.json", r#"/:id.json "" id=7"#),
        (&["/a/.b"], "/a/.b", r#"/a/.b """#),
        (&["/..."], "*", r#"/... "*""#),
    ];

    #[test]
    fn routes_as_spin_does() {
        for (routes, path, expected) in ROWS {
            assert_eq!(&show(&router(routes), path), expected, "{routes:?} {path}");
        }
    }

    #[test]
    fn routes_that_cannot_be_are_refused() {
        for (route, part) in [
            ("/a/*/b", "last segment"),
            ("/a/.../b/...", ""),
            ("/*rest", "no name"),
            ("/:", "needs a name"),
            ("/:é", "header name"),
        ] {
            match Pattern::parse(route) {
                Ok(_) => assert!(part.is_empty(), "{route} was accepted"),
                Err(problem) => assert!(problem.contains(part), "{route}: {problem}"),
            }
        }
    }
}
