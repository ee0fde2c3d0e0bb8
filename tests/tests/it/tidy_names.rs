//! The host knows no product: what the application's manifest names is named nowhere in the host.
//! The names come from `spin.toml` itself, so that a new component is protected from its first day.

use std::collections::BTreeSet;

use toml::{Table, Value};
use ward_tests::Repository;

use crate::tidy::without_tests;

/// Words of the manifest that are not the product's alone, and why the host has them too.
const ALLOWED: [(&str, &str); 4] = [
    ("api", "what every such interface is called"),
    ("audit", "what the field calls a record of who did what; `ward audit` goes over anybody's"),
    ("auth", "PostgreSQL's `--auth-host`, and what HTTP calls the matter"),
    ("guard", "a lock's, as in the standard library's `MutexGuard`"),
];

#[test]
fn the_host_knows_no_product() {
    let repository = Repository::here();
    let names = Names::of(&repository.read("spin.toml"));
    let mut findings = Vec::new();
    let mut files = 0;
    for path in repository.files() {
        let parts: Vec<&str> = path.split('/').collect();
        let host = matches!(parts.as_slice(), ["crates", _, "src", ..]) && path.ends_with(".rs");
        if !host || parts.contains(&"tests") || path.ends_with("tests.rs") {
            continue;
        }
        files += 1;
        for (number, line) in without_tests(&repository.read(&path)) {
            let found = names.in_line(line);
            findings.extend(found.map(|name| format!("{path}:{number}: {name}: {}", line.trim())));
        }
    }
    assert!(files > 100, "the search finds the host: {files} files");
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn a_planted_name_is_seen() {
    let names = Names::of(&Repository::here().read("spin.toml"));
    for line in [
        "const HOST: &str = \"db_host\";",
        "state.join(\"jwt_private_key.pem\")",
        "pub(crate) kafka_brokers: Option<String>,",
        "route.starts_with(\"/api/patients\")",
        "/// Show patient data",
        "kind: \"PATIENT_CREATED\"",
        "json[\"patientId\"]",
        "struct BillingService;",
        "const CALLER: &str = \"pms:common/types.caller\";",
        "WHERE datname = 'analytics'",
        "topic == \"billing-account\"",
    ] {
        assert!(names.in_line(line).is_some(), "{line}");
    }
    for line in [
        "fn impatient() -> Times {",
        "env = \"WARD_KAFKA_BROKERS\"",
        "// What nobody is waiting for, guarded or not.",
        "MutexGuard<'_, State>",
        "the account of a user of this machine",
    ] {
        assert_eq!(names.in_line(line), None, "{line}");
    }
}

/// What the manifest names.
struct Names {
    /// Found as a part of any longer name, in any case: `patientId` has `patient`. A name of
    /// several words is found with all of them in a row.
    words: BTreeSet<Vec<String>>,
    /// Found whole and as they are written: variables are.
    identifiers: BTreeSet<String>,
}

impl Names {
    fn of(manifest: &str) -> Names {
        let manifest: Table = manifest.parse().expect("TOML");
        let mut names = Names { words: BTreeSet::new(), identifiers: BTreeSet::new() };
        names.identifiers.extend(keys(&manifest["variables"]));
        for (id, component) in manifest["component"].as_table().expect("components") {
            names.add(id);
            names.identifiers.extend(component.get("variables").into_iter().flat_map(keys));
        }
        names.gather("", &Value::Table(manifest));
        assert!(names.words.len() > 5 && names.identifiers.len() > 10, "the search finds them");
        for (word, _) in ALLOWED {
            assert!(names.words.remove(&vec![word.to_owned()]), "{word} need not be allowed");
        }
        names
    }

    /// Goes through everything for what is a name by its key.
    fn gather(&mut self, key: &str, value: &Value) {
        match value {
            Value::Table(table) => table.iter().for_each(|(key, value)| self.gather(key, value)),
            Value::Array(items) => items.iter().for_each(|item| self.gather(key, item)),
            Value::String(text) => match key {
                // Databases too, but the application may be called what the host is.
                "topic" | "topics" | "group" | "record" | "service" => self.add(text),
                "route" => text.split('/').for_each(|part| self.add(part)),
                "interface" => text.split(['/', '@', ':']).take(2).for_each(|part| self.add(part)),
                "name" if text != "ward" => self.add(text),
                _ => {}
            },
            _ => {}
        }
    }

    fn add(&mut self, name: &str) {
        let words = words(name);
        if !words.is_empty() {
            self.words.insert(words);
        }
    }

    /// A name that a line has in it.
    fn in_line(&self, line: &str) -> Option<String> {
        let whole = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let identifiers = line.split(whole).find(|part| self.identifiers.contains(*part));
        // A dash joins words as well: `billing-account`.
        let of_words = || {
            line.split(|c: char| whole(c) && c != '-').find_map(|part| {
                let part = words(part);
                let has = |name: &&Vec<String>| part.windows(name.len()).any(|run| run == *name);
                self.words.iter().find(has).map(|name| name.join("-"))
            })
        };
        identifiers.map(str::to_owned).or_else(of_words)
    }
}

fn keys(table: &Value) -> Vec<String> {
    table.as_table().map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// The words of a name, however it is written: `patient-id`, `PATIENT_ID` and `patientId` have two.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let ends =
            !c.is_ascii_alphanumeric() || c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if ends {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric() {
            words.last_mut().expect("a word").push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}
