//! Live links that lead back to where they began. A call along such a ring might never end, and
//! would hold an instance of every component on it; so the ring is refused, and shown.

use std::collections::BTreeSet;

use crate::toml_file::{Report, Span};

/// One live link: a dependency of `from` that calls the component `to`.
pub(super) struct Link<'d> {
    pub(super) from: &'d str,
    pub(super) to: String,
    pub(super) span: &'d Span,
}

/// Reports every ring, at the dependency that closes it. Rings that share a component are
/// reported one at a time.
pub(super) fn refuse(report: &Report<'_>, links: &[Link<'_>]) {
    let mut open: Vec<&Link<'_>> = links.iter().collect();
    loop {
        keep_what_goes_on(&mut open);
        let ring = first_ring(&open);
        let (Some(first), Some(last)) = (ring.first(), ring.last()) else { return };
        let mut chain: Vec<&str> = ring.iter().map(|link| link.from).collect();
        chain.push(first.from);
        let problem = format!("live links go round in a ring: {}", chain.join(" → "));
        let help = "take one of these dependencies out, so that every call comes to an end";
        report.error_help(last.span, problem, help.to_owned());
        let reported: BTreeSet<&str> = ring.iter().map(|link| link.from).collect();
        open.retain(|link| !reported.contains(link.from));
    }
}

/// Takes out links to components without links, until every link leads on: what is left, if
/// anything, has a ring.
fn keep_what_goes_on(open: &mut Vec<&Link<'_>>) {
    loop {
        let before = open.len();
        let from: BTreeSet<&str> = open.iter().map(|link| link.from).collect();
        open.retain(|link| from.contains(link.to.as_str()));
        if open.len() == before {
            return;
        }
    }
}

/// Follows links, of which each leads on, until one comes to a component for the second time.
fn first_ring<'l, 'd>(open: &[&'l Link<'d>]) -> Vec<&'l Link<'d>> {
    let mut path: Vec<&Link<'_>> = Vec::new();
    let mut next = open.first().copied();
    while let Some(link) = next {
        if let Some(start) = path.iter().position(|earlier| earlier.from == link.from) {
            return path.split_off(start);
        }
        path.push(link);
        next = open.iter().copied().find(|other| other.from == link.to);
    }
    Vec::new()
}
