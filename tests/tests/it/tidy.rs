//! The repository's own rules, checked like any other behaviour, so that CI needs no checks of its
//! own: sizes, headers, leftovers, and documents that say what is there.

use std::collections::BTreeSet;
use ward_tests::Repository;

/// The longest file, in lines.
const FILE_LINES_MAX: usize = 900;
/// The longest function, in lines from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// The longest line, in characters.
const LINE_CHARS_MAX: usize = 100;
/// The longest ARCHITECTURE.md, in lines: a map, not the territory.
const MAP_LINES_MAX: usize = 300;

/// A text file of the repository.
struct Text {
    path: String,
    text: String,
}

#[test]
fn rust_files_open_by_saying_what_they_are_for() {
    check(rust(), |file, findings| {
        if !file.text.starts_with("//!") {
            findings.push(format!("{}: does not open with `//!`", file.path));
        }
    });
}

#[test]
fn files_are_short() {
    check(rust(), |file, findings| {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(format!("{}: {lines} lines", file.path));
        }
    });
}

#[test]
fn functions_are_short() {
    check(rust(), |file, findings| {
        for (line, length) in functions(&file.text) {
            if length > FUNCTION_LINES_MAX {
                findings.push(format!("{}:{line}: a function of {length} lines", file.path));
            }
        }
    });
}

#[test]
fn lines_are_short() {
    check(rust(), |file, findings| {
        for (number, line) in numbered(&file.text) {
            let length = line.chars().count();
            if length > LINE_CHARS_MAX {
                findings.push(format!("{}:{number}: {length} characters", file.path));
            }
        }
    });
}

#[test]
fn nothing_is_left_over() {
    // In two parts, so that this file passes its own test.
    let leftovers = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["dbg", "!("], ["#[igno", "re"]];
    let leftovers = leftovers.map(|parts| parts.concat());
    check(texts(&[".rs", ".toml", ".sql", ".wit", ".md", ".http"]), |file, findings| {
        for (number, line) in numbered(&file.text) {
            for leftover in leftovers.iter().filter(|leftover| line.contains(leftover.as_str())) {
                findings.push(format!("{}:{number}: {leftover}", file.path));
            }
        }
    });
}

#[test]
fn production_code_does_not_unwrap() {
    let unwrap = [".unwr", "ap()"].concat();
    check(production(), |file, findings| {
        for (number, line) in without_tests(&file.text) {
            let comment = line.trim_start().starts_with("//");
            if !comment && line.contains(&unwrap) {
                findings.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    });
}

#[test]
fn exceptions_to_lints_give_their_reason() {
    check(rust(), |file, findings| {
        for marker in ["#[allow(", "#![allow(", "#[expect(", "#![expect("] {
            for (place, _) in file.text.match_indices(marker) {
                let end = file.text[place..].find(")]").map_or(file.text.len(), |at| place + at);
                let line = file.text[..place].lines().count();
                let quoted = file.text[..place].lines().last().is_some_and(|l| l.contains('"'));
                if !quoted && !file.text[place..end].contains("reason") {
                    findings.push(format!("{}:{line}: no reason", file.path));
                }
            }
        }
    });
}

#[test]
fn text_files_are_clean() {
    let endings = [".rs", ".toml", ".sql", ".wit", ".md", ".http", ".sh"];
    check(texts(&endings), |file, findings| {
        if !file.text.ends_with('\n') || file.text.ends_with("\n\n") {
            findings.push(format!("{}: does not end with one newline", file.path));
        }
        for (number, line) in numbered(&file.text) {
            if line.ends_with([' ', '\t']) || line.contains(['\t', '\r']) {
                findings.push(format!("{}:{number}: stray white space", file.path));
            }
        }
    });
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    let places = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Use", "rs/"]];
    let places = places.map(|parts| parts.concat());
    let endings = [".rs", ".toml", ".sql", ".wit", ".md", ".http", ".sh", ".lock", ".yaml"];
    check(texts(&endings), |file, findings| {
        for (number, line) in numbered(&file.text) {
            // Homebrew's place on Linux is the same everywhere.
            let line = line.replace("linuxbrew", "").replace("/home//", "");
            for place in places.iter().filter(|place| line.contains(place.as_str())) {
                findings.push(format!("{}:{number}: {place}", file.path));
            }
        }
    });
}

#[test]
fn documents_have_one_title() {
    check(texts(&[".md"]), |file, findings| {
        let mut code = false;
        let mut titles = 0;
        for line in file.text.lines() {
            code ^= line.starts_with("```");
            titles += usize::from(!code && line.starts_with("# "));
        }
        if !file.text.starts_with("# ") || titles != 1 {
            findings.push(format!("{}: {titles} titles, or not at the top", file.path));
        }
    });
}

#[test]
fn links_between_documents_lead_somewhere() {
    let repository = Repository::here();
    check(texts(&[".md"]), |file, findings| {
        let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        for link in file.text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !repository.root().join(directory).join(target).exists() {
                findings.push(format!("{}: no {target}", file.path));
            }
        }
    });
}

#[test]
fn every_crate_and_component_is_on_the_map() {
    let repository = Repository::here();
    let map = repository.read("ARCHITECTURE.md");
    assert!(map.lines().count() <= MAP_LINES_MAX, "ARCHITECTURE.md is too long to be a map");
    let mut missing = BTreeSet::new();
    for path in repository.files() {
        let Some(directory) = path.strip_suffix("/Cargo.toml") else { continue };
        let guest = directory.starts_with("tests/guests/");
        if !guest && !map.contains(&format!("`{directory}`")) {
            missing.insert(directory.to_owned());
        }
    }
    assert!(missing.is_empty(), "not in ARCHITECTURE.md: {missing:?}");
}

#[test]
fn every_environment_variable_is_documented() {
    let repository = Repository::here();
    let markdown = texts(&[".md"]);
    let manual: String = markdown
        .iter()
        .filter(|file| {
            let manuals = ["README.md", "CONTRIBUTING.md"];
            manuals.contains(&file.path.as_str()) || file.path.starts_with("docs/")
        })
        .map(|file| file.text.as_str())
        .collect();
    let mut missing = BTreeSet::new();
    for file in production().iter().chain(&texts(&["tests/src/data.rs", "tests/src/ward.rs"])) {
        for variable in environment_variables(&file.text) {
            if !manual.contains(&format!("`{variable}`")) {
                missing.insert(format!("{variable} ({})", file.path));
            }
        }
    }
    assert!(repository.root().is_dir());
    assert!(missing.is_empty(), "in neither README.md, CONTRIBUTING.md nor docs/: {missing:?}");
}

#[test]
fn every_problem_type_is_in_the_table() {
    let table = Repository::here().read("docs/errors.md");
    let mut slugs = BTreeSet::new();
    for file in production() {
        let body: Vec<&str> = without_tests(&file.text).iter().map(|(_, line)| *line).collect();
        let body = body.join("\n");
        let parts = ["Kind::new(", "StatusCode::"].map(|start| body.split(start).skip(1));
        for part in parts.into_iter().flatten() {
            slugs.extend(slug(part));
        }
    }
    assert!(slugs.len() > 15, "the search finds them: {slugs:?}");
    slugs.retain(|slug| !table.contains(&format!("| `{slug}` |")));
    assert!(slugs.is_empty(), "not in docs/errors.md: {slugs:?}");
}

/// The first string of an argument list, if nothing but the name of a constant is before it and it
/// is written as problem types are.
fn slug(arguments: &str) -> Option<String> {
    let (before, after) = arguments.split_once('"')?;
    let constant = |c: char| c.is_ascii_uppercase() || c == '_' || c == ',' || c.is_whitespace();
    let word = after.split('"').next()?;
    let kebab = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    (before.chars().all(constant) && kebab && !word.is_empty()).then(|| word.to_owned())
}

/// Names in quotes that start with `WARD_`.
fn environment_variables(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for after in text.split("\"WARD_").skip(1) {
        let rest: String =
            after.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        if after[rest.len()..].starts_with('"') {
            names.insert(format!("WARD_{rest}"));
        }
    }
    names
}

#[test]
fn only_the_runtime_names_wasmtime() {
    let repository = Repository::here();
    let mut others = Vec::new();
    for path in repository.files() {
        let own = path == "Cargo.toml" || path.starts_with("crates/ward-runtime/");
        if !own && path.ends_with("Cargo.toml") && repository.read(&path).contains("wasmtime") {
            others.push(path);
        }
    }
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn components_share_code_through_libraries_that_hold_no_policy() {
    // A service meets another only in WIT: no component may link another service's crate.
    let repository = Repository::here();
    let services = ["analytics", "auth", "billing", "guard", "patients"];
    for service in services {
        let manifest = repository.read(&format!("components/{service}/Cargo.toml"));
        for other in services.iter().filter(|other| **other != service) {
            let linked = manifest
                .lines()
                .any(|line| line.split(['=', '.', ' ']).next().is_some_and(|name| name == *other));
            assert!(!linked, "{service} links {other}");
        }
    }
}

#[test]
fn every_member_takes_the_workspaces_lints() {
    let repository = Repository::here();
    for path in repository.files() {
        if path != "Cargo.toml" && path.ends_with("Cargo.toml") {
            let manifest = repository.read(&path);
            assert!(manifest.contains("[lints]\nworkspace = true"), "{path}");
        }
    }
}

#[test]
fn the_changelog_names_this_version_or_what_is_unreleased() {
    let changelog = Repository::here().read("CHANGELOG.md");
    let version = format!("## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(changelog.contains("## [Unreleased]") || changelog.contains(&version));
}

fn check(files: Vec<Text>, rule: impl Fn(&Text, &mut Vec<String>)) {
    assert!(!files.is_empty(), "nothing was checked");
    let mut findings = Vec::new();
    for file in &files {
        rule(file, &mut findings);
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

fn rust() -> Vec<Text> {
    texts(&[".rs"])
}

/// Rust files outside tests, examples and test guests.
fn production() -> Vec<Text> {
    let mut files = rust();
    files.retain(|file| {
        let test = file.path.contains("/tests/") || file.path.ends_with("tests.rs");
        !file.path.starts_with("tests/") && !file.path.starts_with("benches/") && !test
    });
    files
}

fn texts(endings: &[&str]) -> Vec<Text> {
    let repository = Repository::here();
    let wanted = |path: &String| endings.iter().any(|ending| path.ends_with(ending));
    let read = |path: String| Text { text: repository.read(&path), path };
    repository.files().into_iter().filter(wanted).map(read).collect()
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
}

/// Numbered lines outside items that are only there for tests.
pub(crate) fn without_tests(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut until: Option<String> = None;
    for (number, line) in numbered(text) {
        let indent = line.len() - line.trim_start().len();
        match &until {
            Some(end) if line == end || line.starts_with("mod ") && line.ends_with(';') => {
                until = None;
            }
            Some(_) => {}
            None if line.trim() == "#[cfg(test)]" => until = Some(" ".repeat(indent) + "}"),
            None => kept.push((number, line)),
        }
    }
    kept
}

/// First line and length of every function, by rustfmt's layout: a function ends at the closing
/// brace that stands as far in as its signature.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !opens_function(line) {
            continue;
        }
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let end = format!("{indent}}}");
        let body = lines[start..].iter().take_while(|line| **line != end).count();
        let declared = lines[start..].iter().take(12).take_while(|l| !l.ends_with('{')).count();
        let declaration = lines[start..].iter().take(declared + 1).any(|l| l.ends_with(';'));
        let whole = line.ends_with('}') || declaration;
        found.push((start + 1, if whole { 1 } else { body + 1 }));
    }
    found
}

fn opens_function(line: &str) -> bool {
    let words = line.trim_start();
    let mut rest = words;
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "extern \"C\" "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

#[test]
fn the_function_counter_counts() {
    let text = "fn one() { 1 }\nfn long() {\n    a();\n    fn inner() {\n    }\n}\ntrait T {\n    \
                fn declared(&self)\n    -> u8;\n}\n";
    assert_eq!(functions(text), [(1, 1), (2, 5), (4, 2), (8, 1)]);
}
