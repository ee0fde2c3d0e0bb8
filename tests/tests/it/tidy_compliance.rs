//! `docs/compliance.md` is whole: each requirement has one row, no row is blank, and what is said
//! to hold it is there. Whether that does hold it is for whoever reviews a row to judge.

use std::collections::BTreeSet;

use ward_tests::Repository;

const PAGE: &str = "docs/compliance.md";

/// How many requirements of levels 1 and 2 each chapter of ASVS 5.0.0 has.
const CHAPTERS: [(&str, usize); 17] = [
    ("V1", 27),
    ("V2", 11),
    ("V3", 19),
    ("V4", 10),
    ("V5", 9),
    ("V6", 35),
    ("V7", 18),
    ("V8", 7),
    ("V9", 7),
    ("V10", 29),
    ("V11", 14),
    ("V12", 9),
    ("V13", 13),
    ("V14", 9),
    ("V15", 13),
    ("V16", 16),
    ("V17", 7),
];

/// The paragraphs of 45 CFR 164.312, and whether each is required or addressable.
const SAFEGUARDS: [(&str, &str); 12] = [
    ("(a)(1)", "R"),
    ("(a)(2)(i)", "R"),
    ("(a)(2)(ii)", "R"),
    ("(a)(2)(iii)", "A"),
    ("(a)(2)(iv)", "A"),
    ("(b)", "R"),
    ("(c)(1)", "R"),
    ("(c)(2)", "A"),
    ("(d)", "R"),
    ("(e)(1)", "R"),
    ("(e)(2)(i)", "A"),
    ("(e)(2)(ii)", "A"),
];

/// What a row may say of how its requirement stands.
const WORDS: [&str; 4] = ["**met**", "**operator**", "**n/a**", "**not met**"];

/// A row where it stands, as its cells.
struct Row {
    line: usize,
    cells: Vec<String>,
}

impl Row {
    fn cell(&self, index: usize) -> &str {
        self.cells.get(index).map_or("", String::as_str)
    }

    fn id(&self) -> &str {
        self.cell(0)
    }

    /// Whether something has to be named that holds it.
    fn is_held(&self) -> bool {
        self.cell(3).starts_with("**met**") || self.cell(3).starts_with("**operator**")
    }
}

#[test]
fn every_row_is_filled_and_says_how_it_stands() {
    let findings = blanks(&rows(&Repository::here().read(PAGE)));
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn every_requirement_has_one_row() {
    let rows = rows(&Repository::here().read(PAGE));
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for row in &rows {
        if !seen.insert(row.id()) {
            findings.push(format!("{PAGE}:{}: {} is there twice", row.line, row.id()));
        }
    }
    for (chapter, expected) in CHAPTERS {
        let of_it = |id: &&str| id.split('.').next() == Some(chapter);
        let found = seen.iter().copied().filter(of_it).count();
        if found != expected {
            findings.push(format!("{chapter}: {found} rows, and {expected} requirements"));
        }
    }
    for (id, level) in SAFEGUARDS {
        if !rows.iter().any(|row| row.id() == id && row.cell(1) == level) {
            findings.push(format!("164.312{id}: no row, or not {level}"));
        }
    }
    let all = CHAPTERS.iter().map(|(_, count)| count).sum::<usize>() + SAFEGUARDS.len();
    if rows.len() != all {
        findings.push(format!("{} rows, and {all} requirements", rows.len()));
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn what_holds_a_row_is_there() {
    let repository = Repository::here();
    let sources = Sources::of(&repository);
    let mut findings = Vec::new();
    for row in rows(&repository.read(PAGE)) {
        for name in sources.missing(row.cell(4)) {
            findings.push(format!("{PAGE}:{}: {}: no {name}", row.line, row.id()));
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn sections_that_the_page_links_to_are_there() {
    let repository = Repository::here();
    let mut findings = Vec::new();
    for target in links(&repository.read(PAGE)) {
        let (file, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
        let file = match file {
            "" => PAGE.to_owned(),
            _ => file.strip_prefix("../").map_or_else(|| format!("docs/{file}"), str::to_owned),
        };
        if !repository.root().join(&file).is_file() {
            findings.push(format!("{PAGE}: no {file}"));
        } else if !anchor.is_empty() && !anchors(&repository.read(&file)).contains(anchor) {
            findings.push(format!("{PAGE}: no section {anchor} in {file}"));
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn planted_mistakes_are_seen() {
    let good = "| V1.1.1 | 2 | asked | **met**: how | `tidy::lines_are_short` |";
    assert!(blanks(&rows(good)).is_empty());
    for bad in [
        "| V1.1.1 | 2 | asked | **met**: how |",
        "| V1.1.1 | 2 | asked | **met**: how |  |",
        "| V1.1.1 | 2 |  | **met** | `tidy::lines_are_short` |",
        "| V1.1.1 | 3 | asked | **met** | `tidy::lines_are_short` |",
        "| V1.1.1 | 2 | asked | met | `tidy::lines_are_short` |",
        "| V1.1.1 | 2 | asked | **met** | — |",
        "| V1.1.1 | 2 | asked | **n/a** | — |",
        "| V1.1.1 | 2 | asked | **not met** | — |",
        "| (a)(1) | R | asked | **operator** | — |",
    ] {
        assert_eq!(blanks(&rows(bad)).len(), 1, "{bad}");
    }
    let sources = Sources::of(&Repository::here());
    let held = "`tidy::lines_are_short`, `kit: page::links`, `spin.toml`, [x](#y), (lands with z)";
    assert_eq!(sources.missing(held), [] as [String; 0]);
    let not_held = "`tidy::nothing`, `kit: tidy::lines_are_short`, `page::links`, `no.toml`";
    assert_eq!(sources.missing(not_held).len(), 4);
    let text = "# Bird's eye\n\n```sh\n# no title\n```\n## 403 or 404, `x`\n";
    let expected = ["403-or-404-x", "birds-eye"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
    assert_eq!(links("[a](b.md#c) and [d](https://e.example), [f](#g)"), ["b.md#c", "#g"]);
}

/// Rows of requirements. Their ids are of one of two forms, so other tables are none.
fn rows(page: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, line) in page.lines().enumerate() {
        let Some(inside) = line.strip_prefix("| ").and_then(|line| line.strip_suffix('|')) else {
            continue;
        };
        let cells: Vec<String> = inside.split('|').map(|cell| cell.trim().to_owned()).collect();
        let id = cells.first().map_or("", String::as_str);
        let numbered = id.strip_prefix('V').is_some_and(|rest| rest.contains('.'));
        if numbered || id.starts_with('(') {
            rows.push(Row { line: index + 1, cells });
        }
    }
    rows
}

/// Rows with an empty cell, a level there is not, or nothing of how they stand.
fn blanks(rows: &[Row]) -> Vec<String> {
    assert!(!rows.is_empty(), "nothing was checked");
    let mut findings = Vec::new();
    for row in rows {
        let mut wrong = |what: &str| {
            findings.push(format!("{PAGE}:{}: {}: {what}", row.line, row.id()));
        };
        let how = row.cell(3);
        let levels = if row.id().starts_with('(') { ["R", "A"] } else { ["1", "2"] };
        let reason = how.split_once(": ").is_some_and(|(_, reason)| !reason.is_empty());
        if row.cells.len() != 5 || row.cells.iter().any(String::is_empty) {
            wrong("has not five filled cells");
        } else if !levels.contains(&row.cell(1)) {
            wrong("has no level");
        } else if !WORDS.iter().any(|word| how.starts_with(word)) {
            wrong("does not say how it stands");
        } else if row.is_held() && row.cell(4) == "—" {
            wrong("names nothing that holds it");
        } else if !how.starts_with("**met**") && !reason {
            wrong("gives no reason");
        }
    }
    findings
}

/// The Rust files of the repository, and what else is there.
struct Sources {
    rust: Vec<(String, String)>,
    files: BTreeSet<String>,
}

impl Sources {
    fn of(repository: &Repository) -> Sources {
        let files: BTreeSet<String> = repository.files().into_iter().collect();
        let rust = files.iter().filter(|path| path.ends_with(".rs"));
        let rust = rust.map(|path| (path.clone(), repository.read(path))).collect();
        Sources { rust, files }
    }

    /// What a cell names between backticks and is not there: tests, and files.
    fn missing(&self, cell: &str) -> Vec<String> {
        let names = cell.split('`').skip(1).step_by(2);
        names.filter(|name| !self.has(name)).map(str::to_owned).collect()
    }

    fn has(&self, name: &str) -> bool {
        let Some((module, function)) = name.rsplit_once("::") else {
            return self.files.contains(name);
        };
        let (roots, module) = match module.split_once(": ") {
            Some((own, module)) => {
                (vec![format!("crates/{own}/"), format!("components/{own}/")], module)
            }
            None => (vec!["tests/tests/it/".to_owned()], module),
        };
        let module = module.replace("::", "/");
        let ends = [format!("/{module}.rs"), format!("/{module}/mod.rs")];
        let function = format!("fn {function}(");
        self.rust.iter().any(|(path, text)| {
            roots.iter().any(|root| path.starts_with(root.as_str()))
                && ends.iter().any(|end| path.ends_with(end.as_str()))
                && text.contains(&function)
        })
    }
}

/// Where the page's links lead within the repository.
fn links(page: &str) -> Vec<String> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// What sections of a document are called in links: lower case, dashes for blanks, and nothing else
/// but letters, digits and dashes.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        code ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        if code || title == line || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        found.insert(kept.collect::<String>().to_lowercase().replace(' ', "-"));
    }
    found
}
