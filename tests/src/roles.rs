//! Who may do what, as `docs/roles.md` says it to people: its tables are what the tests go by.

use crate::Repository;
use std::collections::BTreeMap;

/// A line of a table, by the names of its columns.
pub type Line = BTreeMap<String, String>;

/// The lines of the table under this heading of the manual, without quotes.
pub fn table(heading: &str) -> Vec<Line> {
    let manual = Repository::here().read("docs/roles.md");
    let (_, section) = manual.split_once(&format!("\n## {heading}\n")).expect("a heading");
    let section = section.split("\n## ").next().expect("a section");
    let mut lines = section.lines().filter(|line| line.starts_with('|')).map(cells);
    let head = lines.next().expect("a table");
    // Below the head is its rule.
    let named = |cells: Vec<String>| head.iter().cloned().zip(cells).collect();
    lines.skip(1).map(named).collect()
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim_start_matches('|').trim_end_matches('|');
    line.split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

/// The names of all roles.
pub fn roles() -> Vec<String> {
    table("Roles").into_iter().map(|line| line["role"].clone()).collect()
}

/// What a token of this role allows: its claim `scope`. Nothing, for a role there is not.
pub fn scope(role: &str) -> String {
    let lines = table("Scopes").into_iter();
    let has = |line: &Line| line.get(role).is_some_and(|cell| cell == "yes");
    let own: Vec<String> = lines.filter(has).map(|line| line["scope"].clone()).collect();
    own.join(" ")
}
