//! What a request asks for, as far as its method and its path tell. The one place that knows what
//! HEAD, OPTIONS and a slash at the end mean, for the component that answers and for guard, which
//! decides before it who may: two that understood a request differently would be a hole.

use http::Method;

use super::{Verb, matching};
use crate::{Problem, Reply, problem, reply};

/// What can be asked for by a method and a path.
pub trait Addressed {
    /// The method it has.
    fn verb(&self) -> Verb;
    /// Where it is.
    fn pattern(&self) -> &'static str;
}

impl Addressed for policy::Operation {
    fn verb(&self) -> Verb {
        self.verb
    }

    fn pattern(&self) -> &'static str {
        self.pattern
    }
}

/// What a request asks for.
#[derive(Debug)]
pub enum Asked<T> {
    /// This.
    Operation(T),
    /// Which methods there are; this is the answer.
    Options(Reply),
    /// What is not there: no such path, or not with this method.
    Nothing(Problem),
}

/// Finds what is asked for among `all`. A slash at the end of a path is ignored. Of several
/// patterns that describe a path, the one that says most of it is meant, with its methods and no
/// others.
pub fn ask<'t, T: Addressed>(
    all: impl Iterator<Item = &'t T> + Clone,
    method: &Method,
    path: &str,
) -> Asked<&'t T> {
    let path = self::path(path);
    let here = all.filter(|it| matching::matches(it.pattern(), path));
    let patterns = here.clone().map(Addressed::pattern);
    let meant = patterns.min_by_key(|pattern| matching::holes(pattern).count());
    let here = here.filter(|it| Some(it.pattern()) == meant);
    let answers = |it: &&T| it.verb().methods().contains(&method.as_str());
    if let Some(found) = here.clone().find(answers) {
        return Asked::Operation(found);
    }
    let methods: Vec<&str> =
        here.flat_map(|it| it.verb().methods().iter().copied()).chain(["OPTIONS"]).collect();
    match methods.as_slice() {
        [_] => Asked::Nothing(Problem::new(problem::NOT_FOUND)),
        allow if *method == Method::OPTIONS => Asked::Options(reply::options(&allow.join(", "))),
        allow => Asked::Nothing(Problem::method_not_allowed(&allow.join(", "))),
    }
}

/// The path without a slash at its end, unless it is nothing else.
pub(super) fn path(path: &str) -> &str {
    path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use policy::{Operation, Scope};

    use super::*;

    #[test]
    fn the_pattern_that_says_most_is_meant() {
        let line = |verb, pattern| Operation { name: "", verb, pattern, scope: Scope::Known };
        let all = [line(Verb::Get, "/things/{id}"), line(Verb::Post, "/things/search")];
        let check = |method: Method, path: &str, found: Option<&str>| match ask(
            all.iter(),
            &method,
            path,
        ) {
            Asked::Operation(operation) => assert_eq!(Some(operation.pattern), found, "{path}"),
            Asked::Options(_) | Asked::Nothing(_) => assert_eq!(None, found, "{method} {path}"),
        };
        check(Method::GET, "/things/7", Some("/things/{id}"));
        check(Method::POST, "/things/search", Some("/things/search"));
        check(Method::GET, "/things/search", None);
        check(Method::POST, "/things/7", None);
    }
}
